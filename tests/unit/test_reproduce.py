"""Builds are compared byte by byte, and numbers with the committed ones."""

from __future__ import annotations

import pytest

from asdflow.commands import reproduce
from asdflow.foundation.errors import ProductError
from asdflow.products import tables


def write_metrics(folder, value):
    names = ("dataset", "encoder", "layer", "pooling", "system", "machine", "section", "metric")
    columns = {name: [name] for name in names} | {"kind": ["fusion"], "value": [value]}
    columns |= {
        "low": [0.1],
        "high": [0.9],
        "confidence": [0.95],
        "normal": [1],
        "anomaly": [1],
        "units": [2],
        "refused": [None],
    }
    tables.write(folder / "metrics/d/e/l/p.parquet", "metrics", columns, {})


def test_equal_builds_are_equal_whatever_their_logs(tmp_path):
    for name in ("one", "two"):
        write_metrics(tmp_path / name, 0.5)
        (tmp_path / name / "logs").mkdir()
        (tmp_path / name / "logs" / "x.log").write_text(name)
    assert reproduce.compare(tmp_path / "one", tmp_path / "two").equal


def test_a_changed_and_a_missing_file_are_named(tmp_path):
    for name, value in (("one", 0.5), ("two", 0.6)):
        write_metrics(tmp_path / name, value)
    (tmp_path / "one" / "extra.csv").write_text("x")
    outcome = reproduce.compare(tmp_path / "one", tmp_path / "two")
    assert not outcome.equal
    assert outcome.different == ["metrics/d/e/l/p.parquet"]
    assert outcome.only_first == ["extra.csv"]


def test_two_empty_folders_prove_nothing(tmp_path):
    assert not reproduce.compare(tmp_path, tmp_path).equal


@pytest.mark.parametrize("value", [0.5, 0.509])
def test_numbers_within_the_tolerance_agree(tmp_path, value):
    write_metrics(tmp_path / "one", 0.5)
    write_metrics(tmp_path / "two", value)
    reproduce.write_reference(tmp_path / "one", tmp_path / "reference.csv")
    worst = reproduce.check_reference(tmp_path / "two", tmp_path / "reference.csv", 0.01)
    assert worst == pytest.approx(abs(value - 0.5))


def test_a_number_beyond_the_tolerance_is_named_with_both_values(tmp_path):
    write_metrics(tmp_path / "one", 0.5)
    write_metrics(tmp_path / "two", 0.6)
    reproduce.write_reference(tmp_path / "one", tmp_path / "reference.csv")
    with pytest.raises(ProductError, match=r"0\.600000 instead of 0\.500000.*deliberate|asdflow reference"):
        reproduce.check_reference(tmp_path / "two", tmp_path / "reference.csv", 0.01)


def test_a_metric_that_vanished_is_an_error(tmp_path):
    write_metrics(tmp_path / "one", 0.5)
    reproduce.write_reference(tmp_path / "one", tmp_path / "reference.csv")
    with pytest.raises(ProductError, match="missing or new"):
        reproduce.check_reference(tmp_path / "nothing", tmp_path / "reference.csv", 0.01)
