"""Scores to metrics: what is judged, and what cannot be."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from asdflow import metrics
from asdflow.foundation.errors import DataError
from asdflow.products import tables as products
from asdflow.products.schemas import SCORES
from asdflow.stages.fusion import fuse_columns
from asdflow.stages.metrics import NO_LABELS, metric_columns

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


def values(rows: list[dict]) -> list[dict]:
    return [row for row in rows if row["refused"] is None]


def reasons(rows: list[dict]) -> dict[tuple[str, str], str]:
    """Of system and machine, which is "all" where the system has no values."""
    return {(row["system"], row["machine"]): row["refused"] for row in rows if row["refused"] is not None}


def test_a_machine_without_any_label_is_left_out_and_named(capsys):
    both = {name: scores(seed, label=unknown_sander) for seed, name in enumerate(("nn", "pca"))}
    alone = {name: scores(seed, machines=("fan",)) for seed, name in enumerate(("nn", "pca"))}
    rows = evaluate(both)
    assert values(rows) == evaluate(alone)
    assert reasons(rows) == dict.fromkeys([("nn", "Sander"), ("pca", "Sander")], NO_LABELS)
    assert f"machine Sander, section 00 is not evaluated: {NO_LABELS}" in capsys.readouterr().out


def test_a_data_set_without_labels_has_no_values_and_every_row_says_why():
    rows = evaluate({name: scores(0, label=lambda machine, clip, word: None) for name in ("nn", "pca")})
    assert values(rows) == []
    cells = [(system, machine) for system in ("nn", "pca") for machine in ("Sander", "fan", "all")]
    assert reasons(rows) == dict.fromkeys(cells, "no labels: nothing to evaluate")


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (lambda clip, word: None if clip == "sourcenormal0" else word, "1 of 20 test clips have no label: "),
        (
            lambda clip, word: None if clip.startswith("target") else word,
            "10 of 20 test clips have no label, none of domain target has one: ",
        ),
        (lambda clip, word: "normal", "no anomalous test clip among 20. "),
        (lambda clip, word: "anomaly", "no normal test clip among 20. "),
    ],
    ids=["one clip without", "one domain only", "only normal clips", "only anomalous clips"],
)
def test_a_machine_with_too_few_labels_is_left_out_with_the_reason(label, reason):
    rows = evaluate({"nn": scores(0, label=lambda m, clip, word: label(clip, word) if m == "fan" else word)})
    assert values(rows) == evaluate({"nn": scores(0, machines=("Sander",))})
    assert list(reasons(rows)) == [("nn", "fan")]
    assert reasons(rows)["nn", "fan"].startswith(reason)


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


def test_where_every_system_is_refused_no_row_has_a_value_and_each_says_why():
    rows = evaluate({"pca": without(scores(1), "fan", "rank 9"), "nn": without(scores(0), "fan", "k 9")})
    assert values(rows) == []
    where = "machine fan, section 00: "
    assert reasons(rows) == {
        ("pca", "fan"): "rank 9",
        ("pca", "all"): where + "rank 9",
        ("nn", "fan"): "k 9",
        ("nn", "all"): where + "k 9",
    }


def test_a_refusal_where_there_are_no_labels_costs_a_system_nothing():
    tables = {"nn": scores(0, label=unknown_sander)}
    refusing = {"nn": without(tables["nn"], "Sander", "rank 9")}
    assert values(evaluate(refusing)) == values(evaluate(tables))


def test_the_rows_that_say_why_keep_the_schema(tmp_path):
    refusing = {"nn": scores(0, label=unknown_sander), "pca": without(scores(1), "fan", "rank 9")}
    columns = metric_columns(refusing, dict.fromkeys(refusing, "detector"), NAMES, 100, 0.95)
    products.write(tmp_path / "metrics.parquet", "metrics", columns, {})
    table = products.read(tmp_path / "metrics.parquet", "metrics")
    assert table.num_rows == len(columns["system"])


def test_a_fusion_that_cannot_work_with_a_section_says_so_and_goes_on():
    members = {"nn": scores(0), "pca": scores(1)}
    bare = {
        name: pa.Table.from_pylist(
            [row | {"domain": None} if row["machine"] == "fan" else row for row in table.to_pylist()],
            schema=table.schema,
        )
        for name, table in members.items()
    }
    found = fuse_columns(bare, {"name": "z_min", "stats_from": "source"}, "zmin")
    machine, refused = found["machine"].to_pylist(), found["refused"]
    assert {one for one, reason in zip(machine, refused, strict=True) if reason is None} == {"Sander"}
    (reason,) = {reason for one, reason in zip(machine, refused, strict=True) if one == "fan"}
    assert "no clip of the bank is a source clip" in reason
    assert [score is None for score in found["score"].to_pylist()] == [one == "fan" for one in machine]


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
