"""Clips to frames: an encoder over every clip of a table, in bounded memory, one whole file at the end.

While the encoder computes one window of clips, the next is decoded and the frames of the last are written,
each in threads of their own: on a CPU this costs nothing, and a GPU never waits for a disk.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from asdflow.encoders.base import Encoder, check_waveforms
from asdflow.foundation.errors import DataError
from asdflow.foundation.progress import Progress
from asdflow.products.frames import FrameWriter, frame_writer, merge, open_frames, read_clip, read_frames

__all__ = ["extract", "merge", "open_frames", "read_clip", "read_frames", "shard_of"]

LOOKAHEAD = 4  # batches of waveforms in a window, so that clips of equal length find each other

Load = Callable[[Mapping[str, Any], int], np.ndarray]


def extract(
    clips: pa.Table,
    load: Load,
    encoder: Encoder,
    path: str | Path,
    made_by: Mapping[str, Any],
    batch: int | None = None,
    threads: int = 1,
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
        as a dict. Called from several threads.
    encoder : Encoder
        Its selected layers come from one pass. Its `stored_bands` says whether bands are averaged, its
        `storage` whether values are rounded to float16.
    path : path
        Product of schema "frames". It exists afterwards with every clip, or is untouched.
    made_by : mapping
        Every parameter that decides the content.
    batch : int, optional
        Largest number of clips of equal length in one call of the encoder, by default what suits it and the
        number of threads. The result does not depend on it where the encoder's does not.
    threads : int
        Cores for the encoder, if its bits do not depend on their number (`Encoder.side_by_side`; others keep
        to one), and clips decoded at a time.
    progress : bool
        Report clips a second and the remaining time on stderr.
    label : str
        What to call the work in that report.

    Raises
    ------
    DataError
        A clip is too short for the encoder, not finite, not mono, or (`Encoder.exact_rate`) of a rate that
        the encoder was not told of; it is named.
    """
    clips = _in_order(clips)
    if encoder.exact_rate:
        _require_rate(clips, encoder)
    batch = batch or -(-encoder.batch // threads) * threads  # a clip for every thread
    with (
        torch_threads(encoder, threads),
        Progress(clips.num_rows, label, show=progress) as shown,
        frame_writer(path, made_by) as writer,
        Behind(writer, batch) as behind,
        closing(_windows(clips, load, encoder, batch * LOOKAHEAD, threads)) as windows,
    ):
        for rows, waveforms in windows:
            for row, frames in zip(rows, _encode(rows, waveforms, encoder, batch, shown), strict=True):
                for layer in sorted(frames):
                    behind.add(row["clip"], layer, frames[layer])


def shard_of(clips: pa.Table, shard: int, shards: int) -> pa.Table:
    """Clips of one of several jobs: number `shard`, from 1, of as many equal shares of consecutive clips."""
    first, last = (number * clips.num_rows // shards for number in (shard - 1, shard))
    return _in_order(clips).slice(first, last - first)


def _in_order(clips: pa.Table) -> pa.Table:
    order = np.argsort(np.array(clips.column("clip").to_pylist(), dtype=object), kind="stable")
    return clips.take(pa.array(order))


def _require_rate(clips: pa.Table, encoder: Encoder) -> None:
    """Raise DataError where a file's rate is not the encoder's, so that the pipeline would resample it."""
    for clip, rate in zip(
        clips.column("clip").to_pylist(), clips.column("sample_rate").to_pylist(), strict=True
    ):
        if rate != encoder.sample_rate:
            raise DataError(
                f"clip {clip}",
                f"is recorded at {rate} Hz, but encoder {encoder.name!r} expects {encoder.sample_rate} Hz "
                "and has a resampler of its own",
                f"Set `sample_rate: {rate}` in the encoder's entry, and bring all files to one rate.",
            )


class Behind:
    """Writes rows in a thread of its own, in order; at most `ahead` of them wait.

    As a context it ends when all rows are written. An error of the writer appears in a later `add`, or there.
    """

    def __init__(self, writer: FrameWriter, ahead: int) -> None:
        self.writer, self.ahead = writer, ahead
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="asdflow-writer")
        self._waiting: deque[Future] = deque()

    def add(self, clip: str, layer: str, frames: np.ndarray) -> None:
        """As `FrameWriter.add`."""
        self._waiting.append(self._thread.submit(self.writer.add, clip, layer, frames))
        while len(self._waiting) > self.ahead:
            self._waiting.popleft().result()

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown(cancel_futures=kind is not None)
        if kind is None:
            for written in self._waiting:
                written.result()


def _windows(
    clips: pa.Table, load: Load, encoder: Encoder, size: int, threads: int
) -> Iterator[tuple[list[dict], list[np.ndarray]]]:
    """Rows and waveforms of `size` clips at a time; the next ones are decoded while these are used.

    The waveforms of a window are let go when the next one is asked for.
    """

    def ask(start: int) -> tuple[list[dict], list[Future]]:
        rows = clips.slice(start, size).to_pylist()
        return rows, [readers.submit(_load, row, load, encoder) for row in rows]

    readers = ThreadPoolExecutor(threads, thread_name_prefix="asdflow-reader")
    try:
        coming = ask(0)
        for start in range(size, clips.num_rows + size, size):
            rows, asked = coming
            waveforms = [waveform.result() for waveform in asked]
            del asked
            coming = ask(start)
            yield rows, waveforms
            waveforms.clear()
    finally:
        readers.shutdown(cancel_futures=True)


def _encode(
    rows: list[dict], waveforms: list[np.ndarray], encoder: Encoder, batch: int, shown: Progress
) -> Iterator[dict[str, np.ndarray]]:
    """{layer: (time, bands, channels)} of each row, in order; equal lengths are encoded together."""
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
                layer: encoder.stored(frames[place], layer, f"clip {rows[index]['clip']}")
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


@contextmanager
def torch_threads(encoder: Encoder, threads: int) -> Iterator[None]:
    """Let torch have as many threads, or one where bits would depend on their number."""
    if encoder.library != "torch":
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads if encoder.side_by_side else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
