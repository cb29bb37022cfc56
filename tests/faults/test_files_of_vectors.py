"""Parquet files of vectors that are damaged, empty or unusual: read, or one error with file and remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asdflow import datasets
from asdflow.datasets._parquet_footer import extent
from asdflow.foundation.errors import DataError

ROWS = 40


def columns() -> dict:
    random = np.random.default_rng(0)
    return {
        "clip": [f"fan/{row:02d}" for row in range(ROWS)],
        "machine": ["fan"] * ROWS,
        "section": ["00"] * ROWS,
        "domain": ["source"] * ROWS,
        "split": ["train"] * 30 + ["test"] * 10,
        "label": ["normal"] * ROWS,
        "values": pa.array(list(random.normal(size=(ROWS, 16))), pa.list_(pa.float64())),
    }


def write(path: Path, changed: dict | None = None, **options) -> Path:
    pq.write_table(pa.table(columns() | (changed or {})), path, **options)
    return path


@pytest.fixture
def read(tmp_path):
    """Clips table and vectors of the machine `fan` in v.parquet."""

    def all_of_it() -> tuple[pa.Table, dict]:
        data = datasets.build({"kind": "embeddings", "vectors": {"mine": "v.parquet"}})
        for machine in data.machine_names("mine", tmp_path):
            table = data.clips_table("mine", tmp_path, machine)
        return table, data.embeddings("mine", tmp_path, "mine", machine)

    return all_of_it


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())),
        pa.dictionary(pa.int8(), pa.large_string()),
    ],
    ids=str,
)
@pytest.mark.parametrize("compression", ["snappy", "zstd", "gzip", "brotli", "lz4", "none"])
def test_text_in_any_layout_and_compression_is_read(tmp_path, read, kind, compression):
    names = ("clip", "machine", "section", "split")
    changed = {name: pa.array(columns()[name]).cast(kind) for name in names}
    write(tmp_path / "v.parquet", changed, compression=compression)
    table, found = read()
    assert table.column("clip").to_pylist() == columns()["clip"]
    np.testing.assert_allclose(found["values"], columns()["values"].to_pylist(), rtol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_named(tmp_path, read, share):
    path = write(tmp_path / "v.parquet")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=r"v\.parquet: is not a whole Parquet file \(.*\)\. Write it anew"):
        read()


@pytest.mark.parametrize("compression", ["snappy", "zstd", "gzip"])
def test_pages_that_cannot_be_unpacked_are_named(tmp_path, read, compression):
    path = write(tmp_path / "v.parquet", compression=compression)
    data = bytearray(path.read_bytes())
    data[4 : len(data) // 2] = bytes(len(data) // 2 - 4)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"v\.parquet: is not a whole Parquet file"):
        read()


@pytest.mark.parametrize("place", [-9, -20, -200, -400])
def test_a_damaged_footer_is_named_or_harmless(tmp_path, read, place):
    path = write(tmp_path / "v.parquet")
    whole = bytearray(path.read_bytes())
    for bit in range(8):
        data = bytearray(whole)
        data[place] ^= 1 << bit
        path.write_bytes(data)
        try:
            read()
        except DataError as error:
            assert "v.parquet" in str(error) or "max_values" in str(error)


def test_a_file_without_rows_is_refused(tmp_path, read):
    pq.write_table(pa.table(columns()).slice(0, 0), tmp_path / "v.parquet")
    with pytest.raises(DataError, match=r"v\.parquet: holds no clips: it has no rows"):
        read()


def test_a_column_twice_is_refused(tmp_path, read):
    table = pa.table(columns())
    pq.write_table(table.append_column("clip", table.column("clip")), tmp_path / "v.parquet")
    with pytest.raises(DataError, match=r"v\.parquet, column 'clip': is there twice"):
        read()


@pytest.mark.parametrize(
    ("column", "word", "message"),
    [
        ("clip", "", "column 'clip': 1 names, first '', which is empty"),
        ("clip", "a\nb", "line break or control character"),
        ("section", "unit 1", "e.g. 'unit_1'"),
        ("section", "../../x", "column 'section': 1 names, first '../../x'"),
        ("machine", "../fan", "gives the machine name '../fan'"),
        ("machine", "", "gives the machine name ''"),
    ],
)
def test_names_follow_the_one_rule(tmp_path, read, column, word, message):
    changed = list(columns()[column])
    changed[3] = word
    write(tmp_path / "v.parquet", {column: changed})
    with pytest.raises(DataError) as caught:
        read()
    assert message in str(caught.value) and "v.parquet" in str(caught.value)


def test_words_that_are_no_utf_8_are_refused(tmp_path, read):
    clips = [b"fan/%02d" % row for row in range(ROWS)]
    clips[5] = b"M\xfchle"
    binary = pa.array(clips, pa.binary())
    text = pa.Array.from_buffers(pa.string(), ROWS, binary.buffers())
    write(tmp_path / "v.parquet", {"clip": text})
    with pytest.raises(DataError, match=r"v\.parquet: is not a whole Parquet file \(.*UTF8"):
        read()


@pytest.mark.parametrize("groups", [1, 7, 40])
def test_the_footer_is_read_as_pyarrow_reads_it(tmp_path, groups):
    path = write(tmp_path / "v.parquet", row_group_size=ROWS // groups)
    metadata = pq.ParquetFile(path).metadata
    parts = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    found = extent(path, "values")
    assert (found.rows, found.values) == (ROWS, ROWS * 16)
    assert found.size == sum(part.column(i).total_uncompressed_size for part in parts for i in range(7))
