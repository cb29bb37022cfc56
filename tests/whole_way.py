"""From recordings to metrics in one process: the library calls of the scripts of the DAG, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from asdflow import datasets
from asdflow.pipeline import build
from asdflow.products import tables
from asdflow.stages.embeddings import embed
from asdflow.stages.frames import extract
from asdflow.stages.metrics import metric_columns
from asdflow.stages.scores import score_columns


def metrics_of(
    folder: Path,
    data: Mapping[str, Any],
    encoder: Mapping[str, Any],
    pooling: Mapping[str, Any],
    detectors: Mapping[str, Mapping[str, Any]],
    machines: tuple[str, ...] | None = None,
    rounds: int = 200,
    keep=lambda row: True,
) -> list[dict[str, Any]]:
    """Rows of the table "metrics" of every detector with the encoder's first layer.

    `folder` takes the products in between; `keep` chooses clips by their rows.
    """
    dataset, network = datasets.build(data), build.encoder(encoder)
    scores: dict[str, list[pa.Table]] = {name: [] for name in detectors}
    for machine in machines or dataset.machine_names("data", folder):
        table = dataset.clips_table("data", folder, machine)
        tables.write(folder / f"{machine}.clips.parquet", "clips", table, {})
        rows = tables.read(folder / f"{machine}.clips.parquet", "clips")
        rows = rows.filter(pa.array([keep(row) for row in rows.to_pylist()]))
        frames = folder / f"{machine}.frames.parquet"
        extract(rows, dataset.loader("data", folder), network, frames, {}, progress=False)
        columns = embed(rows, frames, network.layers[0], pooling)
        tables.write(folder / f"{machine}.embeddings.parquet", "embeddings", columns, {})
        embeddings = tables.read(folder / f"{machine}.embeddings.parquet", "embeddings")
        columns = score_columns(rows, embeddings, detectors, {})
        tables.write(folder / f"{machine}.scores.parquet", "scores", columns, {})
        for name, table in tables.read_systems([folder / f"{machine}.scores.parquet"], detectors).items():
            scores[name].append(table)
    columns = metric_columns(
        {name: pa.concat_tables(parts) for name, parts in scores.items()},
        dict.fromkeys(detectors, "detector"),
        {"dataset": "data", "encoder": "e", "layer": network.layers[0], "pooling": "p"},
        rounds=rounds,
        confidence=0.95,
    )
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def value(rows: list[dict[str, Any]], system: str, metric: str, machine: str = "all") -> dict[str, Any]:
    """The row of one system, metric and machine."""
    found = [
        row for row in rows if (row["system"], row["metric"], row["machine"]) == (system, metric, machine)
    ]
    assert len(found) == 1, (system, metric, machine, rows[:3])
    return found[0]
