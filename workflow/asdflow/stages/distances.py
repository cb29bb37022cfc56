"""Embeddings to distances: what every detector of one metric shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from asdflow.geometry.distances import pairwise
from asdflow.products import tables
from asdflow.stages.sections import embedding_parts, sections


def distance_columns(embeddings: pa.Table, metric: str) -> dict[str, Any]:
    """Columns of schema "distances": from every train and test clip to the bank of its section.

    The bank's order is that of its clips, sorted.
    """
    parts = []
    for section in sections(embeddings):
        bank, test = embedding_parts(embeddings, section)
        rows = np.concatenate([section.train, section.test])
        values = np.concatenate([pairwise(bank, None, metric), pairwise(test, bank, metric)])
        parts.append((rows, tables.vectors(values, pa.large_list(pa.float64()))))
    rows = np.concatenate([rows for rows, _ in parts])
    taken = embeddings.select(["machine", "section", "clip", "split"]).take(pa.array(rows))
    return {name: taken.column(name) for name in taken.column_names} | {
        "values": pa.chunked_array([values for _, values in parts])
    }
