"""One machine's zip into its folder: every name checked before a byte is written, all of it or nothing."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from asdflow.datasets.dcase.registry import Limits
from asdflow.download.checks import full_disk, megabytes, room
from asdflow.foundation.errors import DataError
from asdflow.foundation.names import hidden, odd_file

PIECE = 1 << 20
BROKEN = "It cannot be unpacked as it is; report it to whoever published it, or replace it by a good copy."
DANGEROUS = "It is not unpacked: it is not the published archive, or somebody has tampered with that."
RECEIPT = ".asdflow.json"
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,  # a way of packing that the standard library does not know
    ValueError,  # names in no encoding, offsets before the file
    OverflowError,
    LookupError,
)


def unpack(
    archive: str | Path,
    folder: str | Path,
    machine: str,
    limits: Limits,
    receipt: Callable[[dict[str, int]], str] | None = None,
) -> dict[str, int]:
    """Unpack `archive` so that `folder` holds what the machine's folder in it holds.

    The members lie below one folder called like the machine, or directly in the archive. They are written
    into `.{name}.part` beside `folder`, which gets its final name when the last byte is there.

    Parameters
    ----------
    archive : path
        A zip file.
    folder : path
        Final folder; must not exist.
    machine : str
    limits : Limits
        Of bytes and members.
    receipt : callable, optional
        Text to leave in the folder as `.asdflow.json`, made from what is returned.

    Returns
    -------
    dict of str to int
        Path below `folder` ("/" between folders) to bytes, sorted.

    Raises
    ------
    DataError
        Not a whole zip; a name that leads outside (`..`, absolute), a link, a device, encryption, another way
        of packing than storing and deflating, two members of one name; more bytes or members than the
        limits; a checksum inside that disagrees.
    FetchError
        The disk has too little room.
    """
    archive, folder = Path(archive), Path(folder)
    partial = folder.with_name(f".{folder.name}.part")
    try:
        with full_disk(folder), zipfile.ZipFile(archive) as file:
            members = _members(archive, file, machine, limits)
            folder.parent.mkdir(parents=True, exist_ok=True)
            room(partial, sum(info.file_size for info in members.values()))
            shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
            for name, info in members.items():
                _write(archive, file, info, partial / name)
            sizes = {name: info.file_size for name, info in members.items()}
            if receipt is not None:
                (partial / RECEIPT).write_text(receipt(sizes), encoding="utf-8")
    except DAMAGED as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise DataError(archive, f"is not a whole zip file ({error})", BROKEN) from None
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if error.errno == errno.EINVAL:  # an offset before the file
            raise DataError(archive, f"is not a whole zip file ({error})", BROKEN) from None
        raise
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    os.rename(partial, folder)
    return sizes


def _members(
    archive: Path, file: zipfile.ZipFile, machine: str, limits: Limits
) -> dict[str, zipfile.ZipInfo]:
    """Files to write by path below the machine's folder, sorted. Raises DataError for anything suspicious."""
    infos = file.infolist()
    if len(infos) > limits.members:
        raise DataError(
            archive, f"has {len(infos)} members, at most {limits.members} are expected", DANGEROUS
        )
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = _safe_name(archive, info)
        if info.is_dir() or any(map(hidden, name.parts)):
            continue
        if info.file_size > limits.member_bytes:
            raise DataError(
                f"{archive}, member {info.filename}",
                f"has {megabytes(info.file_size)}, at most {megabytes(limits.member_bytes)} are expected",
                DANGEROUS,
            )
        inside = (
            str(PurePosixPath(*name.parts[1:])) if name.parts[0] == machine and name.parts[1:] else str(name)
        )
        if inside in members:
            raise DataError(f"{archive}, member {info.filename}", "is there twice", DANGEROUS)
        members[inside] = info
    total = sum(info.file_size for info in members.values())
    if total > limits.total_bytes:
        raise DataError(
            archive,
            f"would unpack to {megabytes(total)}, at most {megabytes(limits.total_bytes)} are expected",
            DANGEROUS,
        )
    if not members:
        raise DataError(archive, "holds no file", BROKEN)
    return dict(sorted(members.items()))


def _safe_name(archive: Path, info: zipfile.ZipInfo) -> PurePosixPath:
    """The member's path. Raises DataError unless it stays inside and is a plain file or folder."""
    where = f"{archive}, member {info.orig_filename!r}"
    name = PurePosixPath(info.filename)
    if name.is_absolute() or "\\" in info.orig_filename or ":" in info.filename or "\0" in info.orig_filename:
        raise DataError(where, "has an absolute or foreign path", DANGEROUS)
    if ".." in name.parts or not name.parts:
        raise DataError(where, "leads outside its folder", DANGEROUS)
    if odd := odd_file(str(name)):
        raise DataError(where, odd, DANGEROUS)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "not a plain file"
        raise DataError(where, f"is {what}", DANGEROUS)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # LZMA may ask for gigabytes
        raise DataError(where, f"is packed by method {info.compress_type}, which is not read", BROKEN)
    if info.flag_bits & 0x1:
        raise DataError(where, "is encrypted", BROKEN)
    return name


def _write(archive: Path, file: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Write one member; no more bytes than it declares, which the limits have passed."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with file.open(info) as source, open(target, "xb") as sink:
            written = 0
            while piece := source.read(PIECE):
                written += len(piece)
                if written > info.file_size:
                    raise DataError(
                        f"{archive}, member {info.filename}", "unpacks to more than it declares", DANGEROUS
                    )
                sink.write(piece)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise DataError(
            f"{archive}, member {info.filename}", "is a file and a folder at once", DANGEROUS
        ) from None
    if written != info.file_size:
        raise DataError(
            f"{archive}, member {info.filename}", f"has {written} bytes, declares {info.file_size}", BROKEN
        )
