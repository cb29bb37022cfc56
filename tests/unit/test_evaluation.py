"""Scores to metrics: what is judged, and what cannot be."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from asdflow import metrics
from asdflow.foundation.errors import DataError
from asdflow.products.schemas import SCORES
from asdflow.stages.metrics import metric_columns

NAMES = {"dataset": "dcase2026", "encoder": "beats", "layer": "layer12", "pooling": "mean"}
CELLS = [(d, a, i) for d in ("source", "target") for a in ("normal", "anomaly") for i in range(5)]


def scores(seed: int, machines=("fan", "Sander"), label=lambda machine, clip, word: word) -> pa.Table:
    """Table of schema "scores": two training clips and the test clips of CELLS of every machine."""
    rows = []
    for machine in sorted(machines):
        rng = np.random.default_rng([seed, len(machine)])
        for i in range(2):
            rows.append((machine, "train", f"t{i}", "source", "normal", rng.normal()))
        for d, a, i in CELLS:
            rows.append((machine, "test", f"{d}{a}{i}", d, label(machine, f"{d}{a}{i}", a), rng.normal()))
    machine, split, clip, domain, labels, score = zip(*rows, strict=True)
    columns = {"machine": machine, "section": ["00"] * len(rows), "clip": clip, "split": split}
    columns |= {"domain": domain, "label": labels, "recording": clip, "score": score}
    columns |= {"detector": ["nn"] * len(rows), "refused": [None] * len(rows)}
    return pa.table({name: list(values) for name, values in columns.items()}, schema=SCORES.arrow())


def evaluate(tables) -> list[dict]:
    columns = metric_columns(tables, dict.fromkeys(tables, "detector"), NAMES, 100, 0.95)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def unknown_sander(machine, clip, word):
    return None if machine == "Sander" else word


def test_a_machine_without_any_label_is_left_out_and_named(capsys):
    both = {name: scores(seed, label=unknown_sander) for seed, name in enumerate(("nn", "pca"))}
    alone = {name: scores(seed, machines=("fan",)) for seed, name in enumerate(("nn", "pca"))}
    assert evaluate(both) == evaluate(alone)
    assert "scored but not judged, since no test clip has a label: Sander" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("label", "unknown"),
    [
        (lambda machine, clip, word: None, 40),
        (lambda machine, clip, word: None if (machine, clip) == ("Sander", "sourcenormal0") else word, 1),
    ],
    ids=["no label at all", "one clip of a labelled machine"],
)
def test_a_data_set_without_labels_and_a_machine_with_only_some_are_refused(label, unknown):
    with pytest.raises(DataError, match=f"dcase2026: {unknown} of 40 test clips have no label.*`scores`"):
        evaluate({"nn": scores(0, label=label)})


def test_systems_that_score_other_clips_are_refused():
    with pytest.raises(DataError, match="pca: does not score the same test clips"):
        evaluate({"nn": scores(0), "pca": scores(0, machines=("fan",))})


@pytest.mark.parametrize("measure", ["official_2020", "official_2021"])
def test_the_official_score_of_a_year_stands_beside_the_one_that_all_years_share(measure):
    table = scores(0)
    plain = metric_columns({"nn": table}, {"nn": "detector"}, NAMES, 100, 0.95)
    columns = metric_columns({"nn": table}, {"nn": "detector"}, NAMES, 100, 0.95, measure=measure)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    yearly = {row["machine"]: row["value"] for row in rows if row["metric"] == measure}
    others = [tuple(row.values()) for row in rows if row["metric"] != measure]
    assert others == list(zip(*plain.values(), strict=True))
    test = [row for row in table.to_pylist() if row["split"] == "test"]
    labels = [[row[name] for row in test] for name in ("score", "label", "domain", "machine")]
    if measure == "official_2020":
        labels.pop(2)
    found = getattr(metrics, measure)(*labels)
    assert yearly["all"] == found.overall
    assert [yearly["Sander"], yearly["fan"]] == found.table.column(measure).to_pylist()
    assert [row["metric"] for row in rows if row["machine"] == "fan"] == sorted(
        row["metric"] for row in rows if row["machine"] == "fan"
    )
