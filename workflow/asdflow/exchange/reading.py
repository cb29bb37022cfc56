"""Score files of a folder: which systems, machines and sections they are of, and what their lines say."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asdflow.foundation.errors import DataError

Unit = tuple[str, str]  # machine, section
FORMAT = "anomaly_score_<machine>_section_<nn>_test.csv"

_FILE = re.compile(
    r"(?P<kind>anomaly_score|decision_result)_(?P<machine>.+)_(?:section|id)_(?P<section>\w+?)"
    r"(?:_(?P<domain>source|target))?(?:_test)?\.csv"
)


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


def read_folder(path: str | Path) -> dict[str, Submission]:
    """Every system under a folder: each (sub-)folder that holds score files, by its path below `path`.

    Score files directly in `path` are a system called like the folder.

    Raises
    ------
    DataError
        No score file anywhere; two files for one machine and section; a line that is not `file,number`; a
        file name twice.
    """
    path = Path(path)
    files = sorted(path.rglob("*.csv")) if path.is_dir() else []
    found: dict[str, Submission] = {}
    sources: dict[tuple, Path] = {}
    for file in files:
        match = _FILE.fullmatch(file.name)
        if not match:
            continue
        below = file.parent.relative_to(path).as_posix()
        name = path.resolve().name if below == "." else below
        kind, machine, section, domain = match["kind"], match["machine"], match["section"], match["domain"]
        key = (name, kind, machine, section, domain)
        if key in sources:
            raise DataError(
                file,
                f"is a second file for machine {machine!r}, section {section!r}, beside {sources[key].name}",
                "Keep one of them.",
            )
        sources[key] = file
        submission = found.setdefault(name, Submission())
        target = submission.scores if kind == "anomaly_score" else submission.decisions
        rows = target.setdefault((machine, section), {})
        for clip, number in _rows(file, decisions=kind == "decision_result"):
            if clip in rows:
                raise DataError(file, f"names {clip!r} twice", "Give each clip one line.")
            rows[clip] = number
            if domain and kind == "anomaly_score":
                submission.domains[machine, section, clip] = domain
    scored = {name: submission for name, submission in found.items() if submission.scores}
    if not scored:
        what = "holds no score file" if path.is_dir() else "is not a folder"
        raise DataError(path, what, f"Expected {FORMAT}, one sub-folder a system.")
    return scored


def _rows(file: Path, decisions: bool) -> Iterator[tuple[str, float]]:
    """(file name, number) of each line; raises DataError naming the line."""
    with open(file, newline="", encoding="utf-8-sig") as lines:
        for number, row in enumerate(csv.reader(lines), start=1):
            if not row:
                continue
            where = f"{file}, line {number}"
            if len(row) != 2:
                raise DataError(
                    where, f"has {len(row)} fields, expected file and number", "Write `file,number`."
                )
            name, text = (cell.strip() for cell in row)
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise DataError(
                    where, f"{text!r} is not a finite number", "The format has no header; correct the line."
                )
            if decisions and value not in (0.0, 1.0):
                raise DataError(where, f"{text!r} is no decision", "Write 0 for normal and 1 for anomalous.")
            yield name, value
