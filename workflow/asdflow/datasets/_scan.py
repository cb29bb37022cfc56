"""Looking for audio files in a folder: every file is used, refused, or listed with the reason."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from asdflow.audio.files import OTHER_SOUND, SUFFIXES
from asdflow.foundation.errors import LISTED, DataError, together
from asdflow.foundation.names import hidden, odd_file, odd_name, shown

_TABLE = re.compile(r"attributes_\d+\.csv", re.ASCII)


@dataclass(frozen=True)
class Tree:
    """Files below a folder.

    Parameters
    ----------
    root : Path
    audio : tuple of str
        Sorted paths of sound files (`SUFFIXES`), relative to the root, "/" between folders.
    tables : tuple of (str, int, int)
        Likewise `attributes_<section>.csv` files, with time of change and size, so that trees compare equal
        only while their tables are the same.
    absent : frozenset of str
        Those of `audio` that are no files: links that lead nowhere, pipes, devices, folders.
    unused : tuple of str
        Sorted paths of all other files; hidden ones are not counted.
    """

    root: Path
    audio: tuple[str, ...]
    tables: tuple[tuple[str, int, int], ...]
    absent: frozenset[str] = frozenset()
    unused: tuple[str, ...] = ()


def scan(root: Path, leave_root: bool = False) -> Tree:
    """Files below `root`. Hidden ones are left out; links to folders are followed, each folder once.

    Raises DataError when `root` is not a folder; and, listing them, for links that lead out of it unless
    `leave_root`, for sound that cannot be read, and for names that cannot be inputs of the workflow.
    """
    if not root.is_dir():
        raise DataError(root, "is not a folder", "Correct root, or create the folder.")
    inside = os.path.realpath(root)
    audio: list[str] = []
    tables: list[tuple[str, int, int]] = []
    absent: list[str] = []
    unused: list[str] = []
    problems: list[str] = []
    seen = {inside}
    folders = [(str(root), "")]
    while folders:
        folder, prefix = folders.pop()
        for entry in _entries(folder):
            path = prefix + entry.name
            sound = entry.name.lower().endswith(SUFFIXES)
            if hidden(entry.name):
                continue
            if entry.is_symlink() and not leave_root and leads_out(entry.path, inside):
                problems.append(
                    f"{shown(path)} is a link out of the folder, to {os.path.realpath(entry.path)}"
                )
            elif _is(entry, os.path.isdir) and not sound:
                if (real := os.path.realpath(entry.path)) not in seen:
                    seen.add(real)
                    folders.append((entry.path, path + "/"))
            elif sound or _TABLE.fullmatch(entry.name):
                if odd := odd_file(path):
                    problems.append(f"{shown(path)} {odd}")
                elif sound:
                    audio.append(path)
                    absent += [] if _is(entry, os.path.isfile) else [path]
                elif _is(entry, os.path.isfile):
                    status = entry.stat()
                    tables.append((path, status.st_mtime_ns, status.st_size))
            elif entry.name.lower().endswith(OTHER_SOUND):
                problems.append(f"{shown(path)} is sound that cannot be read; convert it to wav or flac")
            else:
                unused.append(path)
    if problems:
        raise together(
            root,
            f"has {len(problems)} files that can neither be used nor left out in silence",
            sorted(problems),
            "Correct them or move them away. Links out of the folder are followed with leave_root: true.",
        )
    return Tree(root, tuple(sorted(audio)), tuple(sorted(tables)), frozenset(absent), tuple(sorted(unused)))


def leads_out(path: str | Path, inside: str) -> bool:
    """Whether a path, its links followed, lies outside the folder `inside`, itself without links.

    A link that leads nowhere does not: it is reported as what it is.
    """
    real = os.path.realpath(path)
    return os.path.exists(real) and real != inside and not real.startswith(inside.rstrip(os.sep) + os.sep)


def say_unused(tree: Tree, used: Iterable[str]) -> None:
    """List on stderr, which is the job's log, the files beside those `used` that are no recordings."""
    folders = {str(above) for path in used for above in PurePosixPath(path).parents}
    beside = [path for path in tree.unused if str(PurePosixPath(path).parent) in folders]
    for path in beside[:LISTED]:
        print(f"{tree.root / path}: not used: neither sound nor a table of attributes", file=sys.stderr)
    if len(beside) > LISTED:
        print(f"{tree.root}: and {len(beside) - LISTED} more files that are not used", file=sys.stderr)


def require_machine(name: str, where: object) -> str:
    """The name, when files of results may be called like it. Raises DataError otherwise."""
    if odd := odd_name(name):
        raise DataError(
            where,
            f"gives the machine name {shown(name)}, which cannot name a file of results: it {odd}",
            "Correct it in column machine of clips.csv, or rename the folder.",
        )
    return name


def folder_name(root: Path) -> str:
    """Name of the folder itself, also where the path is "." or ends in ".."."""
    return root.resolve().name


def _is(entry: os.DirEntry, test: Callable[[str], bool]) -> bool:
    """`test` of a link's end; without a look at the disk for what is no link."""
    if entry.is_symlink():
        return test(entry.path)  # unlike DirEntry's own, False for links that form a circle
    return entry.is_dir() if test is os.path.isdir else entry.is_file()


def _entries(folder: str) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(folder, f"cannot be read ({error.strerror})", "Correct its permissions.") from None
