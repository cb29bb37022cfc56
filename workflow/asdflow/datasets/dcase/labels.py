"""Evaluation labels: the organisers' published list of what the anonymous file names stand for.

Format: a line with a machine's name, then for each of its clips `anonymous name,full name`; the list of 2020
adds the label, 0 or 1, as a third field. The full name is of the same year's grammar.

The organisers' evaluators hold the same in a folder `ground_truth_attributes`, a file
`ground_truth_<machine>_section_<nn>_test.csv` a section, without the line of the machine.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from asdflow.clips.dcase_names import ClipName, parse
from asdflow.datasets.dcase.registry import Registry
from asdflow.download import Policy, fetch
from asdflow.foundation.errors import ConfigError, DataError, OfflineError
from asdflow.foundation.names import hidden
from asdflow.foundation.text import read_text

LABELS = {"0": "normal", "1": "anomaly"}
REMEDY = "Delete it and run again; the published list is then fetched."
EVALUATOR_FILES = "ground_truth_*_section_*_test.csv"
_EVALUATOR_FILE = re.compile(r"ground_truth_(.+)_section_\d+_test\.csv")


def labels_file(registry: Registry, year: int, store: str | Path) -> Path:
    """Where a year's list lies in a store. Raises DataError when nobody has published one in this form."""
    labels = registry.year(year).labels
    if labels is None:
        raise DataError(
            f"labels of {year}", "are in no published list", "Its evaluation clips can be scored, not judged."
        )
    return Path(store) / f"dcase{year}" / "labels" / labels.file


def fetch_labels(registry: Registry, year: int, target: str | Path, policy: Policy | None = None) -> Path:
    """Download the list of a year that has one to `target`, checked against the registry's SHA-256.

    A whole list that is there is kept. Raises FetchError when it cannot be had.
    """
    checksum = f"sha256:{registry.year(year).labels.sha256}"
    try:
        return fetch(registry.labels_urls(year), target, checksum=checksum, policy=policy)
    except OfflineError as error:
        raise error.told(
            f"labels of {year}",
            f"Connect, or save the list as {target}; or name your own: `labels` in the data set's entry, "
            "--labels of `asdflow evaluate`.",
        ) from None


def own_files(path: str | Path) -> list[Path]:
    """Files of a list that the user has: the list itself, or those of an evaluator's folder, sorted.

    Raises ConfigError when there are none.
    """
    path = Path(path)
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.glob(EVALUATOR_FILES) if not hidden(file.name))
    if not files or not files[0].is_file():
        what = f"holds no {EVALUATOR_FILES}" if path.is_dir() else "does not exist"
        raise ConfigError(
            f"labels {path}",
            what,
            "Name a list in the organisers' format, or their evaluator's folder ground_truth_attributes.",
        )
    return files


def read_labels(path: str | Path, year: int) -> dict[str, dict[str, ClipName]]:
    """What each evaluation clip is: machine to anonymous file name to its full name, parsed.

    The label is always known; the domain and the attributes where the full name says them. `path` is a list,
    or an evaluator's folder.

    Raises DataError naming the line that is not understood, contradicts itself, or repeats a name.
    """
    machines: dict[str, dict[str, ClipName]] = {}
    for file in own_files(path) if Path(path).is_dir() else [Path(path)]:
        named = _EVALUATOR_FILE.fullmatch(file.name)
        machine = machines.setdefault(named[1], {}) if named else None
        for number, line in enumerate(read_text(file, "Run snakemake to fetch it.").splitlines(), 1):
            fields = [each.strip() for each in line.strip().split(",")]
            where = f"{file}, line {number}"
            if fields == [""]:
                continue
            if len(fields) == 1:
                machine = machines.setdefault(fields[0], {})
            elif machine is None:
                raise DataError(where, "names a clip before any machine", REMEDY)
            elif fields[0] in machine:
                raise DataError(where, f"repeats {fields[0]!r}", REMEDY)
            else:
                machine[fields[0]] = _label(where, fields, year)
    return machines


def _label(where: str, fields: list[str], year: int) -> ClipName:
    if len(fields) not in (2, 3):
        raise DataError(where, f"has {len(fields)} fields, expected 2 or 3", REMEDY)
    short = parse(fields[0], year)
    try:
        full = parse(fields[1], year)
    except DataError:
        if len(fields) == 2:
            raise DataError(where, f"has {fields[1]!r}, which is no file name of {year}", REMEDY) from None
        full = short  # the label stands in the third field
    if short.section != full.section:
        raise DataError(where, f"{fields[0]} and {fields[1]} are of different sections", REMEDY)
    if len(fields) == 3:
        if fields[2] not in LABELS:
            raise DataError(where, f"has the label {fields[2]!r}, expected 0 or 1", REMEDY)
        if full.label not in (None, LABELS[fields[2]]):
            raise DataError(where, f"says {full.label} and {fields[2]}", REMEDY)
        full = replace(full, label=LABELS[fields[2]])
    if full.label is None:
        raise DataError(where, "has no label", REMEDY)
    return full
