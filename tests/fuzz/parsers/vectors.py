"""Parquet files of vectors."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from harness import Parser

from asdflow.datasets import build


def parse(path: Path) -> None:
    data = build({"kind": "embeddings", "vectors": {"mine": path.name}, "max_values": 1_000_000})
    for machine in data.machine_names("mine", path.parent):
        data.clips_table("mine", path.parent, machine)
        data.embeddings("mine", path.parent, "mine", machine)


def inputs(folder: Path) -> list[bytes]:
    rows = 12
    splits = ["train" if row < 6 else "test" for row in range(rows)]
    columns = {
        "clip": [f"fan/{row}" for row in range(rows)],
        "machine": ["fan"] * rows,
        "section": ["00"] * rows,
        "domain": ["source"] * rows,
        "split": splits,
        "label": ["normal"] * rows,
        "values": pa.array([[0.5 * row, 1.0, -row] for row in range(rows)], pa.list_(pa.float32())),
    }
    plain = pa.table(columns)
    views = pa.table(columns | {"clip": pa.array(columns["clip"], pa.string_view()), "recording": splits})
    result = []
    for table, options in ((plain, {}), (views, {"compression": "zstd"}), (plain, {"use_dictionary": False})):
        pq.write_table(table, folder / "made.parquet", **options)
        result.append((folder / "made.parquet").read_bytes())
    return result


PARSERS = [Parser("vectors", "vectors.parquet", inputs, parse, (b"PAR1", b"fan", b"train", b"\xff" * 4))]
