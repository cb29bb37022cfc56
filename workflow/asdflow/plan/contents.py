"""What files hold: digests of the user's own files, so that content decides what is redone, not time stamps.

Snakemake redoes what is newer. A recording that was replaced by an older one (`cp -p`, `rsync -a`, an
unpacked archive, a clock set back) is not, so rules carry a digest of the bytes as a parameter.

Bytes are read once: a hash holds as long as size, number of the file, time of the last change of its bytes
(mtime) and of anything about it (ctime, which no program can set) are the same. A file that changed within
the last seconds before it was read is read again next time, as a clock of coarse steps may hide one more
change. 100,000 files of 32 kB: 12 s the first time, 0.9 s from then on (two cores).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from asdflow.foundation.errors import DataError
from asdflow.foundation.files import whole_file
from asdflow.foundation.progress import Progress

#: Seconds after which a change is told from a later one, whatever the file system's clock.
SETTLED = 3.0
ABSENT = "absent"
#: Files to be read from which on progress is shown.
MANY = 500


class Contents:
    """Hashes of files, kept from run to run.

    Parameters
    ----------
    base : path
        Working directory, which relative paths refer to.
    memory : path, optional
        File that keeps the hashes; default `.snakemake/asdflow/contents.json` below `base`.
    """

    def __init__(self, base: str | Path, memory: str | Path | None = None) -> None:
        self.base = Path(base)
        self.memory = Path(memory or self.base / ".snakemake/asdflow/contents.json")
        self._known: dict[str, list] | None = None

    def digest(self, files: Iterable[str | Path]) -> str:
        """One digest of the names and bytes of files; a file that is not there counts as absent.

        Raises DataError for one that cannot be read.
        """
        names = sorted({str(file) for file in files})
        total = hashlib.sha256()
        for name, found in zip(names, self.sha256(names), strict=True):
            total.update(f"{name}\0{found}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()[:16]

    def sha256(self, names: Sequence[str]) -> list[str]:
        """Hex digest of the bytes of each file, `ABSENT` for one that is not there."""
        known = self._load()
        stamps = [self._stamp(name) for name in names]
        changed = [
            name
            for name, stamp in zip(names, stamps, strict=True)
            if stamp and known.get(name, [None])[:-1] != stamp
        ]
        fresh = {}
        with Progress(len(changed), "reading", "file", show=len(changed) >= MANY) as bar:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for name, found in zip(changed, pool.map(self._read, changed), strict=True):
                    fresh[name] = found
                    bar.advance()
        settled = False
        for name, stamp in zip(names, stamps, strict=True):
            if name in fresh and stamp == self._stamp(name) and max(stamp[2:4]) < _now() - SETTLED * 1e9:
                known[name], settled = [*stamp, fresh[name]], True
        if settled:
            self._save(known)
        return [
            ABSENT if not stamp else fresh.get(name) or known[name][-1]
            for name, stamp in zip(names, stamps, strict=True)
        ]

    def _stamp(self, name: str) -> list[int]:
        """Size, number, mtime and ctime in ns; nothing for a file that is not there."""
        try:
            found = os.stat(self.base / name)
        except OSError:
            return []
        return [found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns]

    def _read(self, name: str) -> str:
        try:
            with open(self.base / name, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DataError(
                name, f"cannot be read: {error.strerror}", "Correct its permissions, or leave it out."
            ) from None

    def _load(self) -> dict[str, list]:
        if self._known is None:
            try:
                self._known = json.loads(self.memory.read_text(encoding="utf-8"))
            except (OSError, ValueError):  # absent or damaged: everything is read again
                self._known = {}
        return self._known

    def _save(self, known: dict[str, list]) -> None:
        try:
            self.memory.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self.memory) as partial:
                partial.write_text(json.dumps(known), encoding="utf-8")
        except OSError:
            return  # a folder that cannot be written to: hashes are computed again next time


def _now() -> float:
    """ns since 1970."""
    return time.time_ns()
