"""Products keep their schema, both ways, and are whole or absent."""

from __future__ import annotations

import errno
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asdflow.foundation.errors import ProductError
from asdflow.products import tables
from asdflow.products.schemas import SCHEMAS

MADE_BY = {"pooling": {"name": "mean"}}


def embeddings(**changes):
    columns = {
        "machine": ["fan"] * 3,
        "section": ["00"] * 3,
        "clip": ["c", "a", "b"],
        "split": ["train", "train", "test"],
        "domain": ["source", "target", None],
        "values": np.arange(12, dtype=np.float32).reshape(3, 4),
    }
    return columns | changes


def test_rows_come_back_sorted_by_key_with_the_same_values(tmp_path):
    tables.write(tmp_path / "e.parquet", "embeddings", embeddings(), MADE_BY)
    table = tables.read(tmp_path / "e.parquet", "embeddings")
    assert table.column("clip").to_pylist() == ["a", "b", "c"]
    np.testing.assert_array_equal(tables.matrix(table.column("values"))[2], [0, 1, 2, 3])


def test_row_order_of_the_caller_does_not_change_the_bytes(tmp_path):
    order = [2, 0, 1]
    shuffled = {name: np.asarray(values)[order] for name, values in embeddings().items() if name == "values"}
    shuffled |= {
        name: [values[i] for i in order] for name, values in embeddings().items() if name != "values"
    }
    tables.write(tmp_path / "one.parquet", "embeddings", embeddings(), MADE_BY)
    tables.write(tmp_path / "two.parquet", "embeddings", shuffled, MADE_BY)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_units_and_provenance_travel_with_the_file(tmp_path):
    columns = {
        "clip": ["a"],
        "layer": ["x"],
        "time": [1],
        "bands": [1],
        "channels": [2],
        "values": np.ones((1, 2)),
    }
    tables.write(tmp_path / "f.parquet", "frames", columns, MADE_BY)
    assert tables.provenance(tmp_path / "f.parquet") == {"kind": "frames", "made_by": MADE_BY, "place": ""}
    assert b"time steps" in pq.read_schema(tmp_path / "f.parquet").field("time").metadata[b"meaning"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.full((3, 4), np.nan, np.float32)}, "not finite"),
        ({"clip": ["a", "a", "b"]}, "more than once"),
        ({"split": ["train", "trian", "test"]}, "trian"),
        ({"machine": ["fan", None, "fan"]}, "null"),
        ({"clip": [1, 2, 3]}, "clip"),
        ({"extra": [1, 2, 3]}, "unknown columns"),
    ],
    ids=["nan", "repeated key", "odd value", "null", "wrong type", "unknown column"],
)
def test_a_broken_promise_is_refused_and_leaves_no_file(tmp_path, change, message):
    with pytest.raises(ProductError, match=message):
        tables.write(tmp_path / "e.parquet", "embeddings", embeddings(**change), MADE_BY)
    assert list(tmp_path.iterdir()) == []


def test_values_outside_their_range_are_refused(tmp_path):
    columns = {name: ["x"] for name in ("dataset", "encoder", "layer", "pooling", "system", "machine")}
    columns |= {"kind": ["fusion"], "section": ["00"], "metric": ["official"], "value": [1.2]}
    columns |= {
        "low": [0.1],
        "high": [0.9],
        "confidence": [0.95],
        "normal": [1],
        "anomaly": [1],
        "units": [2],
        "refused": [None],
    }
    with pytest.raises(ProductError, match=r"1\.2, must be <= 1\.0"):
        tables.write(tmp_path / "m.parquet", "metrics", columns, {})


def test_a_file_cut_short_is_named_with_its_remedy(tmp_path):
    path = tmp_path / "e.parquet"
    tables.write(path, "embeddings", embeddings(), MADE_BY)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ProductError, match=r"e\.parquet: is damaged: it is cut short.*with snakemake"):
        tables.read(path, "embeddings")


def test_a_file_of_another_kind_is_refused(tmp_path):
    tables.write(tmp_path / "e.parquet", "embeddings", embeddings(), MADE_BY)
    with pytest.raises(ProductError, match="holds 'embeddings', expected 'scores'"):
        tables.read(tmp_path / "e.parquet", "scores")


def test_a_file_made_from_other_parameters_is_refused(tmp_path):
    tables.write(tmp_path / "e.parquet", "embeddings", embeddings(), MADE_BY)
    with pytest.raises(ProductError, match="was made from"):
        tables.read(tmp_path / "e.parquet", "embeddings", made_by={"pooling": {"name": "max"}})


def test_row_groups_out_of_order_are_refused(tmp_path):
    def group(clip):
        return {
            "clip": [clip],
            "layer": ["x"],
            "time": [1],
            "bands": [1],
            "channels": [2],
            "values": np.ones((1, 2)),
        }

    with (
        pytest.raises(ProductError, match="Sort the rows"),
        tables.writer(tmp_path / "f.parquet", "frames", {}) as write,
    ):
        write(group("b"))
        write(group("a"))
    assert not (tmp_path / "f.parquet").exists()


def test_a_full_disk_keeps_the_old_file_and_says_what_to_do(tmp_path, monkeypatch):
    path = tmp_path / "e.parquet"
    tables.write(path, "embeddings", embeddings(), MADE_BY)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ProductError, match=r"disk is full.*Free space"):
        tables.write(path, "embeddings", embeddings(machine=["pump"] * 3), MADE_BY)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["e.parquet"]


def test_vectors_of_unequal_length_are_refused():
    with pytest.raises(ProductError, match=r"lengths \[1, 2\]"):
        tables.matrix(pa.array([[1.0], [1.0, 2.0]]))


def test_every_column_of_every_schema_says_what_it_means():
    silent = [(s.kind, c.name) for s in SCHEMAS.values() for c in s.columns if not c.meaning]
    assert silent == []


def test_a_score_is_there_or_refused_but_not_both_and_not_neither(tmp_path):
    columns = {name: ["x"] * 2 for name in ("detector", "machine", "section", "recording")}
    columns |= {"clip": ["a", "b"], "split": ["test"] * 2, "domain": [None] * 2, "label": [None] * 2}
    good = columns | {"score": [1.0, None], "refused": [None, "k is too large"]}
    tables.write(tmp_path / "s.parquet", "scores", good, {})
    for odd in ({"score": [None, None]}, {"score": [1.0, 1.0]}):
        with pytest.raises(ProductError, match="has 1 rows with both or none of 'score' and 'refused'"):
            tables.write(tmp_path / "s.parquet", "scores", good | odd, {})


def test_systems_are_read_from_whatever_files_hold_them_and_a_missing_one_is_named(tmp_path):
    columns = {name: ["x"] * 2 for name in ("section", "recording")}
    columns |= {"clip": ["a", "b"], "split": ["test"] * 2, "domain": [None] * 2, "label": [None] * 2}
    columns |= {"detector": ["nn", "ldn"], "score": [1.0, 2.0], "refused": [None] * 2}
    for machine in ("fan", "pump"):
        rows = columns | {"machine": [machine] * 2}
        tables.write(tmp_path / f"{machine}.parquet", "scores", rows, {})
    files = [tmp_path / f"{machine}.parquet" for machine in ("fan", "pump")]
    found = tables.read_systems(files, ["ldn", "nn"])
    assert list(found) == ["ldn", "nn"]
    assert found["ldn"].column("machine").to_pylist() == ["fan", "pump"]
    assert found["ldn"].column("score").to_pylist() == [2.0, 2.0]
    with pytest.raises(ProductError, match="hold no scores of 'lof'"):
        tables.read_systems(files, ["nn", "lof"])
