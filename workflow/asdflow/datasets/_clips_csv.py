"""`clips.csv`: the list of clips of a data set, one line a clip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from asdflow.clips.rows import ClipRow
from asdflow.datasets._scan import folder_name, require_machine
from asdflow.foundation.errors import DataError, closest, nearest, together
from asdflow.foundation.names import odd_file, odd_section, odd_text, shown
from asdflow.foundation.text import csv_rows, read_text
from asdflow.products.schemas import DOMAIN, LABEL, SPLIT

NAME = "clips.csv"
COLUMNS = (
    *("path", "start_s", "duration_s", "machine", "section"),
    *("domain", "split", "label", "recording", "attributes"),
)
_SYNONYMS = {"anomalous": "anomaly", "abnormal": "anomaly", "ok": "normal", "nok": "anomaly"}


@dataclass(frozen=True)
class Listed:
    """One line of clips.csv: the machine and the clip. The split is "" where the file has no such column."""

    machine: str
    clip: ClipRow


def read(root: Path, leave_root: bool = False) -> list[Listed]:
    """Every line of `root/clips.csv`, in its order. With `leave_root` a path may begin with `../`.

    Columns that are left out, and empty cells: start_s 0; duration_s to the end of the file; machine the name
    of the folder; section 00; domain none; label normal for train clips and unknown for others; recording the
    path without suffix; attributes none. A split is never guessed (see `folder`'s `train_normal`).

    Raises DataError, naming the line and the nearest valid word; several bad lines are listed together.
    """
    file = root / NAME
    rows = csv_rows(file, read_text(file))
    header = [name.strip() for name in next(rows, (1, []))[1]]
    _require_header(file, header)
    default_machine = folder_name(root)
    listed, problems = [], []
    for number, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            listed.append(_line(header, cells, default_machine, leave_root))
        except _Problem as problem:
            problems.append(f"line {number}: {problem}")
    if problems:
        raise together(file, f"has {len(problems)} bad lines", problems, "Correct all of them.")
    if not listed:
        raise DataError(file, "lists no clips", "Add a line for each clip below the header.")
    return listed


class _Problem(Exception):
    """What is wrong with one line, to be listed with others."""


def _require_header(file: Path, header: list[str]) -> None:
    if len(header) == 1 and ";" in header[0]:
        raise DataError(file, "is separated by semicolons", "Save it with commas between the columns.")
    for name in header:
        if name not in COLUMNS:
            raise DataError(f"{file}, column {name!r}", "is not known", nearest(name.lower(), COLUMNS))
    repeated = [name for name in header if header.count(name) > 1]
    if repeated:
        raise DataError(f"{file}, column {repeated[0]!r}", "stands there twice", "Remove one of them.")
    if "path" not in header:
        raise DataError(
            file, "has no column 'path'", f"Begin it with a header line, e.g. {','.join(COLUMNS)}."
        )


def _line(header: list[str], cells: list[str], default_machine: str, leave_root: bool) -> Listed:
    if len(cells) != len(header):
        raise _Problem(f"has {len(cells)} cells, the header has {len(header)}")
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    path = _path(row["path"], leave_root)
    split = _word(row, "split", SPLIT)
    label = _word(row, "label", LABEL) or ("normal" if split == "train" else "")
    machine = row.get("machine") or default_machine
    try:
        require_machine(machine, "machine")
    except DataError as error:
        raise _Problem(f"{error.what}. {error.remedy}") from None
    if "split" in row and not split:
        raise _Problem("has no split; give train, test or supplemental")
    section = row.get("section") or "00"
    if odd := odd_section(section):
        raise _Problem(f"section {shown(section)} {odd}")
    for column in ("recording", "attributes"):
        if row.get(column) and (odd := odd_text(row[column])):
            raise _Problem(f"{column} {shown(row[column])} {odd}")
    return Listed(
        machine,
        ClipRow(
            path,
            section=section,
            split=split,
            start_s=_seconds(row, "start_s", 0.0) or 0.0,
            duration_s=_seconds(row, "duration_s", None),
            domain=_word(row, "domain", DOMAIN) or None,
            label=label or None,
            recording=row.get("recording", ""),
            attributes=_attributes(row.get("attributes", "")),
        ),
    )


def _path(text: str, leave_root: bool) -> str:
    path = PurePosixPath(text)
    if not text:
        raise _Problem("has no path")
    if "\\" in text:
        raise _Problem(f"path {shown(text)}: write / between folders")
    if odd := odd_file(text):
        raise _Problem(f"path {shown(text)} {odd}")
    if path.is_absolute():
        raise _Problem(f"path {shown(text)} is absolute; give it relative to the folder of clips.csv")
    if ".." in path.parts and not leave_root:
        raise _Problem(
            f"path {shown(text)} leads out of the folder of clips.csv; give it relative to that folder, or "
            "set leave_root: true"
        )
    if not path.name:
        raise _Problem(f"path {shown(text)} names no file")
    return str(path)


def _word(row: dict[str, str], column: str, allowed: tuple[str, ...]) -> str:
    value = row.get(column, "")
    if value and value not in allowed:
        lower = value.lower()
        near = _SYNONYMS.get(lower) or closest(lower, allowed)
        hint = f"; did you mean {near!r}?" if near in allowed else ""
        raise _Problem(f"{column} is {value!r}, allowed are {', '.join(allowed)}{hint}")
    return value


def _seconds(row: dict[str, str], column: str, default: float | None) -> float | None:
    text = row.get(column, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise _Problem(f"{column} is {text!r}, must be seconds with a decimal point") from None
    if not math.isfinite(value) or value < 0 or (column == "duration_s" and value == 0):
        raise _Problem(f"{column} is {text}, must be {'above' if column == 'duration_s' else 'at least'} 0 s")
    return value


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name:
            raise _Problem(f"attributes hold {part!r}, must be name=value, separated by ;")
        if name in found:
            raise _Problem(f"attributes name {name!r} twice")
        found[name] = value
    return found
