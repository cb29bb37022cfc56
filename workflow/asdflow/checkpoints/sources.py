"""How bytes are brought from a source into a file: pip, and HTTP with retries."""

from __future__ import annotations

import http.client
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from asdflow.checkpoints.registry import HttpsSource, HubSource, PypiSource

TIMEOUT_S = 60
ATTEMPTS = 3
BACKOFF_S = 1.0  # doubled after every attempt
CHUNK = 1 << 20
# Errors of the connection only: a full disk is no fault of the source and ends the attempt.
BROKEN_OFF = (ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException)
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class SourceError(Exception):
    """One source did not give the file; the message says why."""


def download(source: PypiSource | HttpsSource | HubSource, target: Path, report) -> None:
    """Write the source's bytes to `target`. Raises SourceError.

    `report(done, total)` is called as bytes arrive; total is None when the server does not say.
    """
    if isinstance(source, PypiSource):
        _from_wheel(source, target)
    else:
        _from_url(source.url, target, report)


def _from_wheel(source: PypiSource, target: Path) -> None:
    """Let pip find and fetch the wheel, as it honours the user's index and proxy settings."""
    with tempfile.TemporaryDirectory(prefix="asdflow-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", "--quiet", "--dest", folder, source.package]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
            raise SourceError(f"pip download failed: {lines[-1] if lines else 'no message'}")
        wheels = sorted(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise SourceError(f"pip download gave {len(wheels)} wheels, expected 1")
        with zipfile.ZipFile(wheels[0]) as wheel:
            if source.member not in wheel.namelist():
                raise SourceError(f"{wheels[0].name} has no file {source.member}")
            with wheel.open(source.member) as inside, open(target, "wb") as out:
                shutil.copyfileobj(inside, out, CHUNK)


def _from_url(url: str, target: Path, report) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _get(url, target, report)
        except urllib.error.HTTPError as error:
            said = f"HTTP {error.code} {error.reason}"
            error.close()
            if error.code not in RETRIED:
                raise SourceError(said) from None
        except urllib.error.URLError as error:
            said = f"no answer ({error.reason})"
        except BROKEN_OFF as error:
            said = f"broke off ({error or type(error).__name__})"
        if attempt < ATTEMPTS:
            time.sleep(BACKOFF_S * 2 ** (attempt - 1))
    raise SourceError(f"{said}, {ATTEMPTS} attempts")


def _get(url: str, target: Path, report) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "asdflow"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer, open(target, "wb") as out:
        if answer.headers.get_content_type() == "text/html":
            raise SourceError("answered with a web page instead of the file")
        length = answer.headers.get("Content-Length")
        total, done = int(length) if length else None, 0
        while chunk := answer.read(CHUNK):
            out.write(chunk)
            done += len(chunk)
            report(done, total)
    if total is not None and done != total:
        raise http.client.IncompleteRead(b"", total - done)
