"""Scores to metrics: what is judged, and what cannot be."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from asdflow import metrics
from asdflow.foundation.errors import DataError
from asdflow.products.schemas import SCORES
from asdflow.stages.fusion import fuse_columns
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


def without(table: pa.Table, machine: str, reason: str) -> pa.Table:
    """The scores of a detector that refuses one machine."""
    rows = table.to_pylist()
    gone = [row | {"score": None, "refused": reason} if row["machine"] == machine else row for row in rows]
    return pa.Table.from_pylist(gone, schema=table.schema)


def test_a_system_that_refuses_one_machine_has_no_values_and_the_others_have_theirs():
    both = {"nn": scores(0), "pca": without(scores(1), "fan", "rank 9 of 5 clips")}
    rows = evaluate(both)
    assert [row for row in rows if row["system"] == "nn"] == evaluate({"nn": scores(0)})
    refused = [row for row in rows if row["system"] == "pca"]
    assert [(row["machine"], row["section"], row["metric"], row["value"]) for row in refused] == [
        ("fan", "00", "official", None),
        ("all", "all", "official", None),
    ]
    assert refused[0]["refused"] == "rank 9 of 5 clips"
    assert refused[1]["refused"] == "machine fan, section 00: rank 9 of 5 clips"


def test_a_study_in_which_every_system_refuses_is_refused_with_the_reason():
    with pytest.raises(DataError, match=r"machine fan, section 00: no system has scores.*'rank 9'"):
        evaluate({"pca": without(scores(1), "fan", "rank 9")})


def test_a_fusion_has_no_scores_where_a_member_has_none_and_its_own_elsewhere():
    members = {"nn": scores(0), "pca": scores(1)}
    whole = fuse_columns(members, {"name": "z_min"}, "zmin")
    part = fuse_columns(
        members | {"pca": without(members["pca"], "fan", "rank 9")}, {"name": "z_min"}, "zmin"
    )
    machine = whole["machine"].to_pylist()
    assert set(machine) == {"fan", "Sander"}
    for one, score, found, reason in zip(
        machine, whole["score"].to_pylist(), part["score"].to_pylist(), part["refused"], strict=True
    ):
        assert (found, reason) == ((None, "needs pca: rank 9") if one == "fan" else (score, None))
