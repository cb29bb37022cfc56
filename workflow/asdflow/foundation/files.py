"""Files that are either whole or absent: written beside their final name, then moved into place."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asdflow.foundation.errors import ProductError


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; on success it becomes `path`, on failure it is removed.

    What a killed process left of the same file is removed first.

    Raises ProductError, naming the file and the remedy, when the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_left(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        with open(partial, "rb") as file:
            os.fsync(file.fileno())  # a crash of the machine must not leave the name without the bytes
        os.replace(partial, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ProductError(
                path,
                "the disk is full",
                "Free space and run the same command again; what was finished is kept.",
            ) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def _remove_left(path: Path) -> None:
    """Remove partial files of `path` whose process is no more."""
    begin, end = f".{path.name}.", ".part"
    for file in path.parent.iterdir():
        process = file.name[len(begin) : -len(end)]
        if file.name == f"{begin}{process}{end}" and process.isdecimal() and not _runs(int(process)):
            file.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
