"""Locks between processes: one writer a file, few connections at once. They end with their process."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_S = 0.1
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Hold the lock file `path` for the block; waits for another process or thread that holds it.

    On a file system without locks the block runs all the same, after a line that says so.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor, fcntl.LOCK_EX, path)
        yield
    finally:
        os.close(descriptor)  # releases the lock


@contextmanager
def slot(folder: str | Path | None, count: int) -> Iterator[int]:
    """Hold one of `count` places in `folder` for the block, and give its number; waits until one is free.

    None: no bound, and always place 0.
    """
    if folder is None:
        yield 0
        return
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    descriptors = [os.open(folder / f"{i}.lock", os.O_RDWR | os.O_CREAT, 0o644) for i in range(count)]
    try:
        while (place := _first_free(descriptors, folder)) is None:
            time.sleep(POLL_S)
        yield place
    finally:
        for each in descriptors:
            os.close(each)


def _first_free(descriptors: list[int], folder: Path) -> int | None:
    for place, descriptor in enumerate(descriptors):
        if _lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, folder):
            return place
    return None


def _lock(descriptor: int, operation: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        print(f"{path}: the file system has no locks; two runs at once may fetch a file twice", flush=True)
    return True
