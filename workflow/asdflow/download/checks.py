"""Whether a file is the one it should be, and whether there is room for it."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asdflow.foundation.errors import ConfigError, FetchError

#: Hexadecimal digits of each kind of hash; git: the object id of a blob.
DIGITS = {"md5": 32, "sha256": 64, "git": 40}


def verify(path: str | Path, checksum: str | None, size: int | None = None) -> str | None:
    """What is wrong with a file, or None when it is whole.

    Parameters
    ----------
    path : path
        An existing file.
    checksum : str or None
        "md5:..." or "sha256:...", as the Zenodo API writes it, or "git:...". None where nobody has published
        any: a file of the right size is whole.
    size : int, optional
        Bytes; compared first, since it costs nothing.
    """
    found = os.stat(path).st_size
    if size is not None and found != size:
        return f"has {found} bytes, expected {size}"
    if checksum is None:
        return None
    algorithm, expected = split_checksum(checksum)
    digest = digest_of(path, algorithm)
    called = "git object id" if algorithm == "git" else algorithm
    return None if digest == expected else f"has {called} {digest}, expected {expected}"


def digest_of(path: str | Path, algorithm: str) -> str:
    """Hash of a file's bytes, in hexadecimal.

    "git" is the object id that git gives a file of these bytes (`git hash-object`): SHA-1 of a header and the
    bytes.
    """
    with open(path, "rb") as file:
        if algorithm != "git":
            return hashlib.file_digest(file, algorithm).hexdigest()
        header = hashlib.sha1(f"blob {os.stat(path).st_size}\0".encode())
        return hashlib.file_digest(file, header.copy).hexdigest()


def split_checksum(checksum: str) -> tuple[str, str]:
    """("md5", hexadecimal digits in lower case) of "md5:...". Raises ConfigError for any other form."""
    algorithm, _, digits = checksum.lower().partition(":")
    if len(digits) != DIGITS.get(algorithm) or set(digits) - set("0123456789abcdef"):
        raise ConfigError(
            f"checksum {checksum!r}",
            "is not understood",
            "Write md5:, sha256: or git: and the hexadecimal digits of the hash.",
        )
    return algorithm, digits


def room(path: str | Path, needed: int) -> None:
    """Raise FetchError unless `needed` more bytes fit beside `path`."""
    folder = Path(path).parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise FetchError(
            path,
            f"needs {megabytes(needed)} more, but only {megabytes(free)} are free in {folder}",
            "Free space, or put the folder on a larger disk, and run the same command again; "
            "what was received is kept.",
        )


@contextmanager
def full_disk(target: str | Path) -> Iterator[None]:
    """A disk that fills up within the block, as a FetchError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise FetchError(
            target,
            "the disk is full",
            "Free space and run the same command again; what was finished is kept.",
        ) from error


def megabytes(count: float) -> str:
    """Size as people read it: "12.3 MB" (1 MB = 10^6 bytes)."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count:,.0f} bytes"
