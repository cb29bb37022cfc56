"""Looking for audio files in a folder, and names that may become folders of results."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from asdflow.audio.files import SUFFIXES
from asdflow.foundation.errors import DataError

_TABLE = re.compile(r"attributes_\d+\.csv", re.ASCII)
_MACHINE = re.compile(r"[\w.+-]+", re.ASCII)


@dataclass(frozen=True)
class Tree:
    """Files below a folder.

    Parameters
    ----------
    root : Path
    audio : tuple of str
        Sorted paths of wav, flac and ogg files, relative to the root, "/" between folders.
    tables : tuple of (str, int, int)
        Likewise `attributes_<section>.csv` files, with time of change and size, so that trees compare equal
        only while their tables are the same.
    """

    root: Path
    audio: tuple[str, ...]
    tables: tuple[tuple[str, int, int], ...]


def scan(root: Path) -> Tree:
    """Files below `root`. Hidden ones are left out; links to folders are followed, each folder once.

    Raises DataError when `root` is not a folder.
    """
    if not root.is_dir():
        raise DataError(root, "is not a folder", "Correct root, or create the folder.")
    audio, tables, seen = [], [], set()
    for folder, inner, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            inner.clear()
            continue
        seen.add(real)
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        below = os.path.relpath(folder, root)
        prefix = "" if below == "." else below.replace(os.sep, "/") + "/"
        for name in files:
            if name.startswith("."):
                continue
            if name.lower().endswith(SUFFIXES):
                audio.append(prefix + name)
            elif _TABLE.fullmatch(name):
                status = os.stat(os.path.join(folder, name))
                tables.append((prefix + name, status.st_mtime_ns, status.st_size))
    return Tree(root, tuple(sorted(audio)), tuple(sorted(tables)))


def require_machine(name: str, where: object) -> str:
    """The name, when files of results may be called like it. Raises DataError otherwise."""
    if not _MACHINE.fullmatch(name) or name.strip(".") == "":
        raise DataError(
            where,
            f"gives the machine name {name!r}, which cannot name a file of results",
            "Use letters, digits and . _ + - only (column machine of clips.csv, or the folder's name).",
        )
    return name


def folder_name(root: Path) -> str:
    """Name of the folder itself, also where the path is "." or ends in ".."."""
    return root.resolve().name
