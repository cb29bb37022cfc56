"""Scores to metrics: every system of one encoder, layer and pooling on one data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from asdflow.foundation.errors import DataError
from asdflow.metrics.measure import MEASURES, OFFICIAL
from asdflow.metrics.table import evaluate

KEYS = ("machine", "section", "clip")


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

    Machines of which no test clip has a label are left out, and a line says so. A system that was refused in
    some section has no values, since they would not compare with those of the others: its rows say why, one
    for each such section and one for all.

    Raises
    ------
    DataError
        No machine has labels, or one has them for some of its test clips only; two systems do not score the
        same clips; or every system was refused.
    """
    tests = {system: _test_rows(table) for system, table in scores.items()}
    first = next(iter(tests.values()))
    for system, table in tests.items():
        if not table.select(KEYS).equals(first.select(KEYS)):
            raise DataError(system, "does not score the same test clips as the others", "Rebuild its scores.")
    judged = _judged_machines(first, names["dataset"])
    keep = pc.is_in(first.column("machine"), pa.array(judged))
    tests = {system: table.filter(keep) for system, table in tests.items()}
    first = first.filter(keep)
    refused = {system: _reasons(table) for system, table in tests.items()}
    tests = {system: table for system, table in tests.items() if not refused[system]}
    if not tests:
        (machine, section), reason = next(iter(next(iter(refused.values())).items()))
        where = f"data set {names['dataset']}, machine {machine}, section {section}"
        raise DataError(where, f"no system has scores; the first says {reason!r}", "Choose other detectors.")
    columns = _evaluated(tests, first, names["dataset"], rounds, confidence, OFFICIAL.name)
    if measure != OFFICIAL.name:
        columns = _joined(
            columns, _evaluated(tests, first, names["dataset"], rounds, confidence, measure), measure
        )
    columns["refused"] = [None] * len(columns["system"])
    for system, reasons in refused.items():
        _add_refused(columns, system, reasons, confidence)
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


def _reasons(tests: pa.Table) -> dict[tuple[str, str], str]:
    """Why a system has no scores, by machine and section."""
    rows = zip(*(tests.column(name).to_pylist() for name in ("machine", "section", "refused")), strict=True)
    return {(machine, section): reason for machine, section, reason in rows if reason is not None}


def _add_refused(
    columns: dict[str, list], system: str, reasons: Mapping[tuple[str, str], str], confidence: float
) -> None:
    """Append the rows of a system that has no values: one a section that refused, and one for all."""
    if not reasons:
        return
    (machine, section), reason = next(iter(reasons.items()))
    others = len(reasons) - 1
    more = f"; {others} more section{'s' * (others > 1)}" if others else ""
    whole = {("all", "all"): f"machine {machine}, section {section}{more}: {reason}"}
    for (machine, section), reason in (dict(reasons) | whole).items():
        row = {"system": system, "machine": machine, "section": section, "metric": OFFICIAL.name}
        row |= {"confidence": confidence, "normal": 0, "anomaly": 0, "units": 0, "refused": reason}
        for name, values in columns.items():
            values.append(row.get(name))


def _judged_machines(tests: pa.Table, dataset: str) -> list[str]:
    """Machines whose test clips are all labelled. Raises DataError for half a machine, or for none."""
    known: dict[str, list[bool]] = {}
    for machine, label in zip(
        *(tests.column(name).to_pylist() for name in ("machine", "label")), strict=True
    ):
        known.setdefault(machine, []).append(label is not None)
    judged = sorted(machine for machine, each in known.items() if all(each))
    absent = sorted(machine for machine, each in known.items() if not any(each))
    if not judged or len(judged) + len(absent) < len(known):
        unknown = tests.column("label").null_count
        raise DataError(
            f"data set {dataset}",
            f"{unknown} of {tests.num_rows} test clips have no label",
            "Fill in the column label (normal or anomaly) to evaluate, or ask for the target `scores` only.",
        )
    if absent:
        print(
            f"data set {dataset}: scored but not judged, since no test clip has a label: {', '.join(absent)}"
        )
    return judged


def _test_rows(table: pa.Table) -> pa.Table:
    test = table.filter(pc.equal(table.column("split"), "test"))
    return test.sort_by([(name, "ascending") for name in KEYS])
