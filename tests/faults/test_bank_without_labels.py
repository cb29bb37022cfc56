"""A bank of the first normal clips where nothing, or hardly anything, is labelled."""

from __future__ import annotations

import pytest

from asdflow.clips.rows import ClipRow
from asdflow.datasets._split import with_bank
from asdflow.foundation.errors import DataError


def rows(*labels: str | None) -> list[ClipRow]:
    return [ClipRow(f"{i}.wav", section="00", split="", label=label) for i, label in enumerate(labels)]


def refusal(*labels: str | None) -> str:
    with pytest.raises(DataError) as error:
        with_bank({"fan": rows(*labels)}, "clips.csv", 5, None)
    return str(error.value)


def test_a_table_without_labels_is_told_to_have_some():
    text = refusal(None, None, None)
    assert "has 0 normal clips, but train_normal is 5" in text
    assert "3 of its 3 clips have no label, first 0.wav" in text
    assert "say in a column label which clips are normal, or in a column split which ones train" in text
    assert "at most" not in text


@pytest.mark.parametrize("labels", [("anomaly", "anomaly"), ("normal", "anomaly")])
def test_where_all_is_labelled_only_recordings_help(labels):
    assert refusal(*labels).endswith("Add normal recordings.")


def test_where_fewer_would_do_the_number_is_named():
    assert "Set train_normal to at most 2, or add normal recordings." in refusal("normal", "normal", "normal")
