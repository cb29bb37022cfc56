"""Score files of a folder: which systems, machines and sections they are of, and what their lines say."""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from asdflow.foundation import names
from asdflow.foundation.errors import DataError, together
from asdflow.foundation.text import csv_rows, read_text

Unit = tuple[str, str]  # machine, section
FORMAT = "anomaly_score_<machine>_section_<nn>_test.csv"
DECISIONS = "decision_result_<machine>_section_<nn>_test.csv"
WITHOUT = "to leave decisions out, evaluate with --no-decisions."

log = logging.getLogger(__name__)
_FILE = re.compile(
    rf"(?P<kind>anomaly_score|decision_result)_(?P<machine>.+)_(?:section|id)_(?P<section>{names.NAME}?)"
    r"(?:_(?P<domain>source|target))?(?:_test)?\.csv"
)
_NEARLY = re.compile(r"anomaly[-_ .]?score|decision[-_ .]?result", re.IGNORECASE)


@dataclass(frozen=True)
class Submission:
    """What one system's folder holds.

    Attributes
    ----------
    scores, decisions : dict of (machine, section) to dict of file name to number
    domains : dict of (machine, section, file name) to "source" or "target"
        Where the name of a score file told it.
    """

    scores: dict[Unit, dict[str, float]] = field(default_factory=dict)
    decisions: dict[Unit, dict[str, float]] = field(default_factory=dict)
    domains: dict[tuple[str, str, str], str] = field(default_factory=dict)


class FileName(NamedTuple):
    """What the name of a score file says; `kind` is "anomaly_score" or "decision_result"."""

    kind: str
    machine: str
    section: str
    domain: str | None = None

    def __str__(self) -> str:
        return f"{self.kind}_{self.machine}_section_{self.section}_test.csv"


def parse_name(name: str) -> FileName | None:
    """What a file name says, of any year; None for another file.

    `..._section_00_test_copy.csv` is another file: "00_test_copy" is no section, but a second copy of "00".
    """
    match = _FILE.fullmatch(name)
    if match is None or names.odd_section(match["section"]):
        return None
    return FileName(*match.group("kind", "machine", "section", "domain"))


def read_folder(
    path: str | Path, machines: Sequence[str] | None = None, decisions: bool = True
) -> dict[str, Submission]:
    """Every system under a folder: each (sub-)folder that holds score files, by its path below `path`.

    Score files directly in `path` are a system called like the folder. Hidden files and folders, and what
    desktop programs leave, are no part of it; links to folders are not followed, and a line says so.

    Parameters
    ----------
    path : path
    machines : sequence of str, optional
        Only the files of these are opened.
    decisions : bool
        Whether files of decisions are read too.

    Raises
    ------
    DataError
        No score file anywhere, or none of a machine; a file that is called nearly like a score file; two
        files for one machine and section; a line that is not `file,number`; a clip twice, whether with a
        suffix or without; text in an unknown encoding.
    """
    path = Path(path)
    files = _score_files(path) if path.is_dir() else []
    if not any(name.kind == "anomaly_score" for _, name in files):
        what = "holds no score file" if path.is_dir() else "is not a folder"
        raise DataError(path, what, f"Expected {FORMAT}, one sub-folder a system.")
    known = {name.machine for _, name in files}
    for machine in machines or ():
        if machine not in known:
            there = ", ".join(sorted(known))
            raise DataError(f"machine {machine!r}", f"has no score file in {path}", f"There are: {there}.")
    scored = {file.parent for file, name in files if name.kind == "anomaly_score"}
    found: dict[str, Submission] = {}
    sources: dict[tuple, Path] = {}
    for file, name in files:
        if file.parent not in scored or (name.kind == "decision_result" and not decisions):
            continue
        below = file.parent.relative_to(path).as_posix()
        system = path.resolve().name if below == "." else below
        submission = found.setdefault(system, Submission())
        if machines is not None and name.machine not in machines:
            continue
        where = f"machine {name.machine!r}, section {name.section!r}"
        other = sources.setdefault((system, *name), file)
        if other is not file:
            raise DataError(file, f"is a second file for {where}, beside {other.name}", "Keep one of them.")
        _read_file(file, name, submission)
    return found


def stem(name: str) -> str:
    """Clip name of a file name: without an audio suffix (a dot elsewhere is part of the name), composed."""
    return names.same_letters(re.sub(r"\.(wav|flac|ogg)$", "", name, flags=re.IGNORECASE))


def _score_files(path: Path) -> list[tuple[Path, FileName]]:
    """Sorted score files below a folder with what their names say.

    Raises DataError that lists files which are called nearly like one; a line tells of other tables.
    """
    found, nearly, left = [], [], []
    for file in sorted(_visible_files(path)):
        if (name := parse_name(file.name)) is not None:
            found.append((file, name))
        elif _NEARLY.match(file.name):
            nearly.append(str(file.relative_to(path)))
        elif file.suffix.lower() == ".csv":
            left.append(str(file.relative_to(path)))
    if nearly:
        raise together(
            path,
            f"{len(nearly)} files are called nearly like score files, and none may be left out unseen",
            nearly,
            f"Call them {FORMAT} or {DECISIONS} (small letters, one file a machine and section), or move "
            "them away.",
        )
    if left:
        log.warning("%s: no score files by their names, left out: %s", path, ", ".join(left))
    return found


def _visible_files(path: Path) -> Iterator[Path]:
    """Files at any depth below a folder, without hidden ones and those in hidden folders."""
    for above, folders, files in os.walk(path, onerror=_unreadable):
        folders[:] = [name for name in folders if not names.hidden(name)]
        for name in folders:
            if (Path(above) / name).is_symlink():
                log.warning("%s: is a link to a folder, which is not followed", Path(above) / name)
        yield from (Path(above) / name for name in files if not names.hidden(name))


def _unreadable(error: OSError) -> None:
    raise DataError(error.filename, f"cannot be read ({error.strerror})", "Correct its permissions.")


def _read_file(file: Path, name: FileName, submission: Submission) -> None:
    """Add the lines of a file to a submission."""
    scores = name.kind == "anomaly_score"
    target = submission.scores if scores else submission.decisions
    rows = target.setdefault((name.machine, name.section), {})
    spelled = {stem(clip): clip for clip in rows}
    for where, clip, number in _rows(file, decisions=not scores):
        twice = spelled.setdefault(stem(clip), clip)
        if twice != clip or clip in rows:
            other = f" and {twice!r}, which are one clip" if twice != clip else " twice"
            raise DataError(where, f"names {clip!r}{other}", "Give each clip one line.")
        rows[clip] = number
        if name.domain and scores:
            submission.domains[name.machine, name.section, clip] = name.domain


def _rows(file: Path, decisions: bool) -> Iterator[tuple[str, str, float]]:
    """(where, file name, number) of each line; raises DataError naming the line."""
    also = f" Or {WITHOUT}" if decisions else ""
    for number, row in csv_rows(file, read_text(file)):
        if not row:
            continue
        where = f"{file}, line {number}"
        if len(row) != 2:
            what = f"has {len(row)} fields, expected file and number"
            raise DataError(where, what, f"Write `file,number`.{also}")
        name, text = (cell.strip() for cell in row)
        try:
            value = math.nan if "_" in text else float(text)  # 1_000 is a number for Python alone
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            shown = names.shown(text)
            remedy = f"The format has no header; correct the line.{also}"
            raise DataError(where, f"{shown} is not a finite number", remedy)
        if decisions and value not in (0.0, 1.0):
            remedy = f"Write 0 for normal and 1 for anomalous.{also}"
            raise DataError(where, f"{text!r} is no decision", remedy)
        if odd := odd_clip(name):
            raise DataError(where, f"{names.shown(name)} {odd}", "Write the file name of the clip.")
        yield where, name, value


def odd_clip(name: str) -> str:
    """What keeps a field from being a clip's file name; "" for a good one."""
    if odd := names.odd_text(name):
        return odd
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if "\\" in name or re.match(r"/|[A-Za-z]:", name) or {"..", "."} & set(name.split("/")):
        return f"is a path, expected {parts[-1]!r} or similar"
    try:
        float(name)
    except ValueError:
        return ""
    return "is a number, expected a file name" if "." in name else ""
