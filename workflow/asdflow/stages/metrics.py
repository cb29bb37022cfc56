"""Scores to metrics: every system of one encoder, layer and pooling on one data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from asdflow.foundation.errors import DataError
from asdflow.metrics.labels import labels
from asdflow.metrics.measure import MEASURES, OFFICIAL
from asdflow.metrics.table import ALL, COLUMNS, evaluate

KEYS = ("machine", "section", "clip")
NO_LABELS = "no labels: nothing to evaluate"

Part = tuple[str, str]
"""Machine and section."""


def metric_columns(
    scores: Mapping[str, pa.Table],
    kinds: Mapping[str, str],
    names: Mapping[str, str],
    rounds: int,
    confidence: float,
    measure: str = "official",
) -> dict[str, Any]:
    """Columns of schema "metrics".

    Parameters
    ----------
    scores : mapping of system to its table of schema "scores", of every machine
    kinds : mapping of system to "detector" or "fusion"
    names : mapping with dataset, encoder, layer and pooling
    rounds, confidence : bootstrap rounds and coverage of the intervals
    measure : official score of the data set's own year; its rows stand beside those of "official"

    What cannot be evaluated has no value, and rows that say why in `refused`:

    * A section whose test clips have no labels, labels in part, or one kind of label only, is left out for
      every system: one row a system and section. The other sections are evaluated as if it were not there.
    * A system that was refused in some section that can be evaluated has no values at all, since they would
      not compare with those of the others: one row for each such section, and one for all.
    * Where no section can be evaluated, no system has values: one row for each section, and one for all.

    Raises
    ------
    DataError
        Two systems do not score the same clips.
    """
    tests = {system: _test_rows(table) for system, table in scores.items()}
    first = next(iter(tests.values()))
    for system, table in tests.items():
        if not table.select(KEYS).equals(first.select(KEYS)):
            raise DataError(system, "does not score the same test clips as the others", "Rebuild its scores.")
    left_out = _left_out(first)
    for (machine, section), reason in left_out.items():
        print(f"data set {names['dataset']}: machine {machine}, section {section} is not evaluated: {reason}")
    keep = pa.array([part not in left_out for part in _parts(first)], pa.bool_())
    refused = {system: _reasons(table.filter(keep)) for system, table in tests.items()}
    judged = {system: tests[system].filter(keep) for system in tests if not refused[system]}
    columns: dict[str, list] = {name: [] for name in COLUMNS}
    if judged and any(keep.to_pylist()):
        options = (first.filter(keep), names["dataset"], rounds, confidence)
        columns = _evaluated(judged, *options, OFFICIAL.name)
        if measure != OFFICIAL.name:
            columns = _joined(columns, _evaluated(judged, *options, measure), measure)
    valued = set(columns["system"])
    columns["refused"] = [None] * len(columns["system"])
    for system, table in tests.items():
        if system in valued:
            _add_refused(columns, system, left_out, confidence)
            continue
        reasons = left_out | _reasons(table)
        _add_refused(columns, system, reasons, confidence, _summary(refused[system] or reasons))
    count = len(columns["system"])
    return (
        {name: [value] * count for name, value in names.items()}
        | {"kind": [kinds[system] for system in columns["system"]]}
        | columns
    )


def _evaluated(
    tests: Mapping[str, pa.Table], first: pa.Table, dataset: str, rounds: int, confidence: float, measure: str
) -> dict[str, list]:
    # Resamples are drawn from the data set's name alone: every system meets the same ones, so that
    # differences between systems are paired.
    return evaluate(
        {system: table.column("score").to_numpy() for system, table in tests.items()},
        anomaly=first.column("label").to_pylist(),
        domain=first.column("domain").to_pylist(),
        machine=first.column("machine").to_pylist(),
        section=first.column("section").to_pylist(),
        recording=first.column("recording").to_pylist(),
        rounds=rounds,
        confidence=confidence,
        seed_name=f"metrics/{dataset}",
        measure=MEASURES[measure],
    )


def _joined(columns: Mapping[str, list], more: Mapping[str, list], metric: str) -> dict[str, list]:
    """Rows of the first table and those of one metric of the second, in the order of their keys."""
    rows = [
        *zip(*columns.values(), strict=True),
        *(row for row in zip(*more.values(), strict=True) if row[list(more).index("metric")] == metric),
    ]
    return dict(zip(columns, map(list, zip(*sorted(rows), strict=True)), strict=True))


def _parts(tests: pa.Table) -> list[Part]:
    """(machine, section) of every row."""
    return list(zip(*(tests.column(name).to_pylist() for name in ("machine", "section")), strict=True))


def _reasons(tests: pa.Table) -> dict[Part, str]:
    """Why a system has no scores, by machine and section."""
    rows = zip(_parts(tests), tests.column("refused").to_pylist(), strict=True)
    return {part: reason for part, reason in rows if reason is not None}


def _left_out(tests: pa.Table) -> dict[Part, str]:
    """Why no system can be evaluated, by machine and section; only those of which this is so."""
    rows: dict[Part, list[int]] = {}
    for row, part in enumerate(_parts(tests)):
        rows.setdefault(part, []).append(row)
    label, domain = (np.array(tests.column(name).to_pylist(), object) for name in ("label", "domain"))
    reasons = {part: why_not(label[inside], domain[inside], *part) for part, inside in sorted(rows.items())}
    return {part: reason for part, reason in reasons.items() if reason is not None}


def why_not(label: np.ndarray, domain: np.ndarray, machine: str, section: str) -> str | None:
    """Why the test clips of a section give no AUC, from their labels and domains (M,); None where they do."""
    unknown = np.equal(label, None)
    if unknown.all():
        return NO_LABELS
    if unknown.any():
        whole = [one for one in dict.fromkeys(domain) if one and unknown[domain == one].all()]
        where = f", none of domain {whole[0]} has one" if whole else ""
        return (
            f"{unknown.sum()} of {len(label)} test clips have no label{where}: fill in the column label "
            "(normal or anomaly)"
        )
    try:
        labels(label, domain, machine, section)
    except DataError as error:
        return f"{error.what.removeprefix('has ')}. {error.remedy}"
    return None


def _summary(reasons: Mapping[Part, str]) -> str:
    """One reason for all sections: that of the first, which is named unless there are no labels at all."""
    (part, reason), *others = reasons.items()
    if set(reasons.values()) == {NO_LABELS}:
        return NO_LABELS
    more = f"; {len(others)} more section{'s' * (len(others) > 1)}" if others else ""
    return f"machine {part[0]}, section {part[1]}{more}: {reason}"


def _add_refused(
    columns: dict[str, list],
    system: str,
    reasons: Mapping[Part, str],
    confidence: float,
    whole: str | None = None,
) -> None:
    """Append a row for each section without values, and one for all where a system has none at all."""
    rows = dict(sorted(reasons.items())) | ({(ALL, ALL): whole} if whole else {})
    for (machine, section), reason in rows.items():
        row = {"system": system, "machine": machine, "section": section, "metric": OFFICIAL.name}
        row |= {"confidence": confidence, "normal": 0, "anomaly": 0, "units": 0, "refused": reason}
        for name, values in columns.items():
            values.append(row.get(name))


def _test_rows(table: pa.Table) -> pa.Table:
    test = table.filter(pc.equal(table.column("split"), "test"))
    return test.sort_by([(name, "ascending") for name in KEYS])
