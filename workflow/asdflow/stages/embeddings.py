"""Frames to embeddings: one pooling over every clip of a machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from asdflow.foundation.errors import ProductError
from asdflow.pipeline.build import pooling as build_pooling
from asdflow.products.frames import read_frames
from asdflow.products.layout import rebuild


def embed(clips: pa.Table, frames: str | Path, layer: str, pooling: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of the embeddings of a machine.

    Parameters
    ----------
    clips : table of schema "clips"
    frames : path
        Product of schema "frames" with every one of those clips.
    layer : str
        Layer of the encoder.
    pooling : mapping
        Specification of the pooling.

    Returns
    -------
    columns of schema "embeddings"; `values` is (clips, dimensions) float32.

    Raises
    ------
    ProductError
        A clip has no frames, or a clip with frames is not in the table, or a pooled vector is not finite.
    """
    pool = build_pooling(pooling)
    vectors: dict[str, np.ndarray] = {}
    for names, batch in read_frames(frames, layer):
        pooled = np.asarray(pool(batch), dtype=np.float32)
        vectors.update(zip(names, pooled, strict=True))
    names = clips.column("clip").to_pylist()
    missing, unknown = (sorted(part) for part in (set(names) - set(vectors), set(vectors) - set(names)))
    if missing:
        raise ProductError(
            frames,
            f"has no frames of layer {layer!r} for {len(missing)} clips, first {missing[0]!r}",
            rebuild(frames),
        )
    if unknown:
        raise ProductError(
            frames,
            f"has frames of {len(unknown)} clips that the clips table does not have, first {unknown[0]!r}",
            rebuild(frames),
        )
    values = np.stack([vectors[name] for name in names])
    return {name: clips.column(name) for name in ("machine", "section", "clip", "split", "domain")} | {
        "values": values
    }
