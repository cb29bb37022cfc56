"""The clips of a machine from its folders, and whether they are as many as were published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asdflow.clips import dcase_names
from asdflow.clips.dcase_names import FOLDERS, ClipName
from asdflow.clips.rows import ClipRow
from asdflow.datasets._dcase_tree import read_attributes
from asdflow.datasets.dcase.entries import PARTS, SPLITS, SUBSETS, Part
from asdflow.datasets.dcase.registry import Registry
from asdflow.foundation.errors import DataError
from asdflow.foundation.names import hidden

LISTED = 5


def index(
    registry: Registry,
    root: str | Path,
    year: int,
    subsets: tuple[str, ...],
    machine: str,
    labels: Mapping[str, Mapping[str, ClipName]] | None,
) -> list[ClipRow]:
    """Clips of a machine.

    Parameters
    ----------
    registry : Registry
    root : path
        Folder of the year: `{root}/{part}/{machine}/{train,test,...}/*.wav`.
    year : int
    subsets : tuple of str
        "development", "evaluation".
    machine : str
    labels : mapping, optional
        Evaluation labels as `labels.read_labels` gives them; None leaves the label (and what else the
        anonymous names hide) unknown.

    Raises
    ------
    DataError
        A folder is absent, a name is not of the year's grammar, clips and label list differ, or the number of
        clips differs from the registry (with a table of expected and found).
    """
    rows = []
    for subset in subsets:
        if machine not in registry.year(year).machines(subset):
            continue
        for part in SUBSETS[subset]:
            known = (labels or {}).get(machine, {}) if part == "evaluation" and labels is not None else None
            found = _part(registry, Path(root), year, part, machine, known)
            _require_counts(registry, Path(root), year, part, machine, found)
            rows += found
    return rows


def _part(
    registry: Registry, root: Path, year: int, part: Part, machine: str, labels: Mapping[str, ClipName] | None
) -> list[ClipRow]:
    folder = root / part / machine
    if not folder.is_dir():
        raise DataError(folder, "does not exist", "Run snakemake; it downloads and unpacks the archive.")
    elsewhere = _sections_elsewhere(registry, year, part, machine)
    tables = [read_attributes(table) for table in sorted(folder.glob("attributes_*.csv"))]
    attributes = {clip: pairs for table in tables for clip, pairs in table.items()}
    rows, unlabelled = [], []
    for split_folder in _split_folders(folder, part):
        for path in sorted((folder / split_folder).iterdir()):
            if hidden(path.name):
                continue
            name = dcase_names.parse_path(f"{machine}/{split_folder}/{path.name}", year).name
            if name.section in elsewhere:  # a user's folder may hold development and evaluation side by side
                continue
            if labels is not None:
                label = labels.get(path.name)
                if label is None and name.label is None:
                    unlabelled.append(path.name)
                name = label or name
            rows.append(_row(f"{part}/{machine}/{split_folder}/{path.name}", name, split_folder, attributes))
    if labels is not None:
        _require_same_clips(folder, rows, unlabelled, labels)
    return rows


def _split_folders(folder: Path, part: Part) -> list[str]:
    """Folders below the machine that belong to the part, without a merged copy of 2021's test folders."""
    present = [
        name for name, (split, _) in FOLDERS.items() if split in SPLITS[part] and (folder / name).is_dir()
    ]
    return [name for name in present if name != "test" or "source_test" not in present]


def _sections_elsewhere(registry: Registry, year: int, part: Part, machine: str) -> set[str]:
    """Sections of the machine that another part holds and this one does not."""
    facts = registry.year(year)
    others = {section for other in PARTS for section in facts.part(other).machines.get(machine, [])}
    return others - set(facts.part(part).machines[machine])


def _row(path: str, name: ClipName, folder: str, attributes: Mapping[str, Mapping[str, str]]) -> ClipRow:
    split, domain = FOLDERS[folder]
    listed = attributes.get(f"{folder}/{path.rsplit('/', 1)[1]}")
    typed = {"type": name.type} if name.type else {}
    return ClipRow(
        path=path,
        section=name.section,
        split=split,
        domain=name.domain or domain,
        label=name.label or ("normal" if split == "train" else None),
        attributes=typed | dict(name.attributes if listed is None else listed),
    )


def _require_same_clips(
    folder: Path, rows: list[ClipRow], unlabelled: list[str], labels: Mapping[str, ClipName]
) -> None:
    present = {row.path.rsplit("/", 1)[1] for row in rows}
    renamed = {dcase_names.format(name) for name in labels.values()} <= present
    absent = [] if renamed else sorted(set(labels) - present)
    for names, what in ((unlabelled, "not in the label list"), (absent, "in the label list, but not there")):
        if names:
            more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
            raise DataError(
                folder,
                f"{len(names)} clips are {what}: {', '.join(names[:LISTED])}{more}",
                "Restore the published clips, or correct data_dir.",
            )


@dataclass(frozen=True)
class _Difference:
    section: str
    split: str
    domain: str
    label: str
    expected: str
    found: int


def _require_counts(
    registry: Registry, root: Path, year: int, part: Part, machine: str, rows: list[ClipRow]
) -> None:
    """Raise DataError with a table of every number that differs from the registry."""
    entry = registry.year(year).part(part)
    differences, explained = [], set()
    for section in entry.machines[machine]:
        for count in entry.counts(machine, section):
            matching = [
                row
                for row in rows
                if row.section == section
                and row.split == count.split
                and count.domain in (None, row.domain)
                and count.label in (None, row.label)
            ]
            explained.update(row.path for row in matching)
            low, high = count.limits
            if not low <= len(matching) <= high:
                expected = str(low) if low == high else f"{low} to {high}"
                differences.append(
                    _Difference(
                        section,
                        count.split,
                        count.domain or "any",
                        count.label or "any",
                        expected,
                        len(matching),
                    )
                )
    other: dict[tuple, int] = {}
    for row in rows:
        if row.path not in explained:
            key = (row.section, row.split, row.domain or "none", row.label or "none")
            other[key] = other.get(key, 0) + 1
    differences += [_Difference(*key, "0", found) for key, found in sorted(other.items())]
    if differences:
        raise DataError(
            root / part / machine,
            f"the number of clips differs from the registry ({year}, {part})\n{_table(differences)}\n",
            "Restore the published clips: delete the folder to unpack it anew, or correct data_dir.",
        )


def _table(differences: list[_Difference]) -> str:
    head = ("section", "split", "domain", "label", "expected", "found")
    cells = [head, *((d.section, d.split, d.domain, d.label, d.expected, str(d.found)) for d in differences)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
