"""Trees of DCASE Task 2: clips from folders, file names and `attributes_<section>.csv`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from asdflow.clips.dcase_names import FOLDERS, GRAMMAR, HIDDEN, ClipPath, parse_path
from asdflow.clips.rows import ClipRow
from asdflow.datasets._scan import folder_name, require_machine
from asdflow.foundation.errors import DataError, together
from asdflow.foundation.names import odd_file, same_letters, shown
from asdflow.foundation.text import csv_rows, read_text

_LIKE_A_SPLIT = {
    "training": "train",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
    "evaluate": "test",
}
"""Folder names that mean a split elsewhere; as machines they would be banks of their own."""


def clips_of(paths: Iterable[str], root: Path, year: int | None = None) -> dict[str, list[ClipRow]]:
    """Clips of every machine among `paths` (relative to `root`), by machine, in sorted order.

    Attributes come from the table beside the folders where it lists the clip, otherwise from the name.
    A clip whose name and folder tell neither train nor test (a flat tree of 2020) has split "".

    Raises DataError that lists the names which are not understood.
    """
    machines: dict[str, list[ClipRow]] = defaultdict(list)
    problems: list[str] = []
    tables: dict[Path, Mapping[str, Mapping[str, str]]] = {}
    for path in sorted(paths):
        try:
            found = parse_path(path, year)
        except DataError as error:
            problems.append(f"{shown(path, 200)[1:-1]}: {error.what}")
            continue
        if odd := odd_file(path):
            problems.append(f"{shown(path)}: {odd}")
            continue
        table = _attributes_file(root / path, found)
        if table not in tables:
            tables[table] = read_attributes(table)
        machine = require_machine(found.machine or folder_name(root), root / path)
        if meant := _split_meant(machine):
            problems.append(f"{path}: lies in {machine!r}, which is no machine; call the folder {meant!r}")
            continue
        machines[machine].append(_row(path, found, tables[table].get(_key(path))))
    if problems:
        raise together(
            root,
            f"has {len(problems)} files whose names are not understood",
            problems,
            f"Name them like {GRAMMAR}, move them away, or describe the clips by a clips.csv.",
        )
    return dict(sorted(machines.items()))


def _split_meant(machine: str) -> str | None:
    """The folder of `FOLDERS` that a machine's name stands for, or None."""
    word = machine.lower()
    return word if word in FOLDERS else _LIKE_A_SPLIT.get(word)


def read_attributes(file: Path) -> dict[str, dict[str, str]]:
    """Attributes by `<folder>/<file name>`, from columns `file_name,d1p,d1v,d2p,d2v,...`.

    Empty when there is no such file. Raises DataError when it is not of that form.
    """
    if not file.is_file():
        return {}
    rows = csv_rows(file, read_text(file))
    header = next(rows, (1, []))[1]
    names, values = header[1::2], header[2::2]
    wanted = [f"d{i}{which}" for i in range(1, len(names) + 1) for which in "pv"]
    if header[:1] != ["file_name"] or header[1:] != wanted[: len(header) - 1] or len(names) != len(values):
        raise DataError(
            file, f"has the header {','.join(header)!r}", "Its header must be file_name,d1p,d1v,d2p,d2v,..."
        )
    result = {}
    for line, row in rows:
        if not any(row):
            continue
        if len(row) > len(header):
            raise DataError(
                f"{file}, line {line}", f"has {len(row)} cells, the header has {len(header)}", "Correct it."
            )
        pairs = zip(row[1::2], row[2::2], strict=False)
        result[_key(row[0])] = {name: value for name, value in pairs if name and name != HIDDEN}
    return result


def _attributes_file(clip: Path, found: ClipPath) -> Path:
    """`<machine>/attributes_<section>.csv`."""
    folder = clip.parent
    return (folder.parent if folder.name == found.folder else folder) / f"attributes_{found.name.section}.csv"


def _key(path: str) -> str:
    return same_letters("/".join(PurePosixPath(path).parts[-2:]))


def _row(path: str, found: ClipPath, attributes: Mapping[str, str] | None) -> ClipRow:
    name = found.name
    typed = {"type": name.type} if name.type else {}
    return ClipRow(
        path,
        section=name.section,
        split=name.split or "",
        domain=name.domain,
        label=name.label or ("normal" if name.split == "train" else None),
        attributes=typed | dict(name.attributes if attributes is None else attributes),
    )
