"""Scores to metrics: every system of one encoder, layer and pooling on one data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from asdflow.errors import DataError
from asdflow.metrics import evaluate

KEYS = ("machine", "section", "clip")


def metric_columns(
    scores: Mapping[str, Sequence[pa.Table]],
    kinds: Mapping[str, str],
    names: Mapping[str, str],
    rounds: int,
    confidence: float,
) -> dict[str, Any]:
    """Columns of schema "metrics".

    Parameters
    ----------
    scores : mapping of system to its tables of schema "scores", one a machine
    kinds : mapping of system to "detector" or "fusion"
    names : mapping with dataset, encoder, layer and pooling
    rounds, confidence : bootstrap rounds and coverage of the intervals

    Raises
    ------
    DataError
        Labels of test clips are unknown, or two systems do not score the same clips.
    """
    tests = {system: _test_rows(tables) for system, tables in scores.items()}
    first = next(iter(tests.values()))
    for system, table in tests.items():
        if not table.select(KEYS).equals(first.select(KEYS)):
            raise DataError(system, "does not score the same test clips as the others", "Rebuild its scores.")
    labels = np.array(first.column("label").to_pylist(), dtype=object)
    unknown = sum(label is None for label in labels)
    if unknown:
        raise DataError(
            f"data set {names['dataset']}",
            f"{unknown} of {len(labels)} test clips have no label",
            "Fill in the column label (normal or anomaly) to evaluate, or ask for the target `scores` only.",
        )
    domains = np.array(first.column("domain").to_pylist(), dtype=object)
    # Resamples are drawn from the data set's name alone: every system meets the same ones, so that
    # differences between systems are paired.
    columns = evaluate(
        {system: table.column("score").to_numpy() for system, table in tests.items()},
        anomaly=(labels == "anomaly").astype(np.int64),
        domain=None if None in set(domains) else (domains == "target").astype(np.int64),
        machine=np.array(first.column("machine").to_pylist(), dtype=object).astype(str),
        section=np.array(first.column("section").to_pylist(), dtype=object).astype(str),
        recording=np.array(first.column("recording").to_pylist(), dtype=object).astype(str),
        rounds=rounds,
        confidence=confidence,
        seed_name=f"metrics/{names['dataset']}",
    )
    count = len(columns["system"])
    return (
        {name: [value] * count for name, value in names.items()}
        | {"kind": [kinds[system] for system in columns["system"]]}
        | columns
    )


def _test_rows(tables: Sequence[pa.Table]) -> pa.Table:
    table = pa.concat_tables(tables)
    test = table.filter(pc.equal(table.column("split"), "test"))
    return test.sort_by([(name, "ascending") for name in KEYS])
