"""Clips to frames: an encoder over every clip of a table, in bounded memory, one whole file at the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from asdflow.encoders.base import Encoder, check_waveforms
from asdflow.errors import DataError
from asdflow.frames import frame_writer, merge, open_frames, read_clip, read_frames
from asdflow.progress import Progress

__all__ = ["extract", "merge", "open_frames", "read_clip", "read_frames"]

LOOKAHEAD = 4  # batches of waveforms held, so that clips of equal length find each other
FLOAT16_MAX = float(np.finfo(np.float16).max)

Load = Callable[[Mapping[str, Any], int], np.ndarray]


def extract(
    clips: pa.Table,
    load: Load,
    encoder: Encoder,
    path: str | Path,
    made_by: Mapping[str, Any],
    batch: int = 4,
    progress: bool = True,
    label: str = "",
) -> None:
    """Write the frames of every clip and selected layer.

    Parameters
    ----------
    clips : table of schema "clips"
        Any order; `clip` names must be unique.
    load : callable
        `load(row, rate)` gives the (samples,) float waveform of a clip at `rate` Hz; `row` is the clip's row
        as a dict.
    encoder : Encoder
        Its selected layers come from one pass. Its `stored_bands` says whether bands are averaged, its
        `storage` whether values are rounded to float16.
    path : path
        Product of schema "frames". It exists afterwards with every clip, or is untouched.
    made_by : mapping
        Every parameter that decides the content.
    batch : int
        Largest number of clips of equal length in one call of the encoder. The result does not depend on it
        where the encoder's does not.
    progress : bool
        Report clips a second and the remaining time on stderr.
    label : str
        What to call the work in that report.

    Raises
    ------
    DataError
        A clip is too short for the encoder, not finite, or not mono; it is named.
    """
    order = np.argsort(np.array(clips.column("clip").to_pylist(), dtype=object), kind="stable")
    clips = clips.take(pa.array(order))
    with (
        one_thread(encoder),
        Progress(clips.num_rows, label, show=progress) as shown,
        frame_writer(path, made_by) as writer,
    ):
        for start in range(0, clips.num_rows, batch * LOOKAHEAD):
            rows = clips.slice(start, batch * LOOKAHEAD).to_pylist()
            for row, frames in zip(rows, _encode(rows, load, encoder, batch, shown), strict=True):
                for layer in sorted(frames):
                    writer.add(row["clip"], layer, frames[layer])


def _encode(
    rows: list[dict], load: Load, encoder: Encoder, batch: int, shown: Progress
) -> Iterator[dict[str, np.ndarray]]:
    """{layer: (time, bands, channels)} of each row, in order; equal lengths are encoded together."""
    waveforms = [_load(row, load, encoder) for row in rows]
    groups: dict[int, list[int]] = defaultdict(list)
    for index, waveform in enumerate(waveforms):
        groups[len(waveform)].append(index)
    batches = [
        indices[start : start + batch]
        for indices in groups.values()
        for start in range(0, len(indices), batch)
    ]
    done: dict[int, dict[str, np.ndarray]] = {}
    wanted = 0
    for indices in sorted(batches):
        outputs = encoder.layer_frames(np.stack([waveforms[index] for index in indices]))
        for place, index in enumerate(indices):
            done[index] = {
                layer: _stored(frames[place], encoder, layer, rows[index])
                for layer, frames in outputs.items()
            }
        shown.advance(len(indices))
        while wanted in done:
            yield done.pop(wanted)
            wanted += 1


def _load(row: dict, load: Load, encoder: Encoder) -> np.ndarray:
    waveform = np.asarray(load(row, encoder.sample_rate))
    check_waveforms(
        waveform[None], encoder.name, encoder.min_samples, encoder.sample_rate, where=f"clip {row['clip']}"
    )
    return waveform.astype(np.float32, copy=False)


def _stored(frames: np.ndarray, encoder: Encoder, layer: str, row: dict) -> np.ndarray:
    """Frames as they are stored: bands kept or averaged, rounded to the storage precision, as float32."""
    if encoder.stored_bands == "mean":
        frames = frames.mean(axis=1, keepdims=True)
    if encoder.storage == "float32":
        return np.ascontiguousarray(frames, dtype=np.float32)
    largest = float(np.abs(frames).max(initial=0))
    if largest > FLOAT16_MAX:
        raise DataError(
            f"clip {row['clip']}",
            f"has a value of magnitude {largest:g} in layer {layer!r}, float16 ends at {FLOAT16_MAX:g}",
            "Set `storage: float32` for this encoder.",
        )
    return np.ascontiguousarray(frames.astype(np.float16), dtype=np.float32)


@contextmanager
def one_thread(encoder: Encoder) -> Iterator[None]:
    """Keep torch to one thread: the same bits on any machine's number of cores; Snakemake runs many jobs."""
    if encoder.library != "torch":
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
