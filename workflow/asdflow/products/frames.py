"""Frames on disk: how they are cut into row groups, and read again as batches or clip by clip.

A file is sorted by clip, then layer. Where the frames of a clip are large, each of its layers is a row group
of its own, so that a reader of one layer does not read the others; where they are small, groups are filled up
to `GROUP_BYTES`. Row groups depend on the rows alone, not on how they were computed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from asdflow.foundation.errors import ProductError
from asdflow.products import tables
from asdflow.products.layout import rebuild
from asdflow.products.schemas import FRAMES
from asdflow.products.seals import Seal

GROUP_BYTES = 8 << 20  # a row group holds at most this much, or a single row
ALONE_BYTES = 256 << 10  # rows of several layers that are larger than this stay alone
BATCH_BYTES = 32 << 20  # a batch handed to a reader holds about this much

Row = tuple[str, str, np.ndarray]  # clip, layer, (time, bands, channels) float32


class FrameWriter:
    """Takes rows in order and writes them in row groups; values wait in one buffer, not in their arrays."""

    def __init__(self, path: str | Path, write_group) -> None:
        self.path, self._write_group = path, write_group
        self._rows: list[tuple[str, str, tuple[int, ...]]] = []  # clip, layer, shape
        self._values = np.empty(0, dtype=np.float32)
        self._ends = [0]  # of each row's values
        self._key = ("", "")

    def add(self, clip: str, layer: str, frames: np.ndarray) -> None:
        """One row, frames (time, bands, channels) float32.

        Raises ProductError unless rows come sorted by clip, then layer, each once.
        """
        if (clip, layer) <= self._key:
            raise ProductError(
                self.path,
                f"clip {clip!r}, layer {layer!r} does not come after {self._key}",
                "Give every clip its own name, and merge shards in the order of their clips.",
            )
        self._key = clip, layer
        if self._rows and self._begins_group(layer, frames):
            self.flush()
        begin, end = self._ends[-1], self._ends[-1] + frames.size
        if end > len(self._values):  # nothing but the first row, or a row larger than any before it
            self._values = np.empty(max(end, GROUP_BYTES // 4), dtype=np.float32)
        self._values[begin:end] = frames.reshape(-1)
        self._rows.append((clip, layer, frames.shape))
        self._ends.append(end)

    def _begins_group(self, layer: str, frames: np.ndarray) -> bool:
        largest = 4 * max(self._ends[-1] - self._ends[-2], frames.size)
        apart = self._rows[-1][1] != layer and largest > ALONE_BYTES
        return apart or 4 * (self._ends[-1] + frames.size) > GROUP_BYTES

    def flush(self) -> None:
        """Write what is held as one row group."""
        if not self._rows:
            return
        clips, layers, shapes = zip(*self._rows, strict=True)
        sizes = np.array(shapes, dtype=np.int32)
        offsets = pa.array(np.array(self._ends, dtype=np.int64))
        columns = {
            "clip": pa.array(clips, pa.string()),
            "layer": pa.array(layers, pa.string()),
            "time": pa.array(sizes[:, 0]),
            "bands": pa.array(sizes[:, 1]),
            "channels": pa.array(sizes[:, 2]),
            "values": pa.LargeListArray.from_arrays(offsets, pa.array(self._values[: self._ends[-1]])),
        }
        self._rows, self._ends = [], [0]
        self._write_group(columns)


@contextmanager
def frame_writer(path: str | Path, made_by: Mapping[str, Any]) -> Iterator[FrameWriter]:
    """Open a frames product for writing; it appears under `path` when the block ends, whole or not at all."""
    with tables.writer(path, "frames", made_by) as write_group:
        writer = FrameWriter(path, write_group)
        yield writer
        writer.flush()


class FrameFile:
    """A frames product, open for reading. Opened by `open_frames`."""

    def __init__(self, path: str | Path, file: pq.ParquetFile, seal: Seal) -> None:
        self.path, self._file, self._seal = path, file, seal
        self.made_by: dict[str, Any] = tables.provenance(file)["made_by"]
        names = file.schema_arrow.names
        clip, layer = names.index("clip"), names.index("layer")
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        self._last = [group.column(clip).statistics.max for group in groups]
        self._layers = [_ends(group.column(layer).statistics) for group in groups]

    def layers(self) -> list[str]:
        """Sorted names of the layers in the file."""
        found = {end for ends in self._layers for end in ends}
        if any(low != high for low, high in self._layers):  # a group of several layers names only its ends
            with tables.whole(self.path):
                self._seal.check()
            found.update(self._file.read(columns=["layer"]).column("layer").unique().to_pylist())
        return sorted(found)

    def batches(self, layer: str, batch_bytes: int = BATCH_BYTES) -> Iterator[tuple[list[str], np.ndarray]]:
        """Frames of one layer, in the order of clips, in batches of equal shape and bounded size.

        Yields
        ------
        (clips, frames) : list of str, (clips, time, bands, channels) float32

        Raises
        ------
        ProductError
            The file has rows, but none of that layer; or a row breaks the schema.
        """
        self._require_layer(layer)
        names: list[str] = []
        held: list[np.ndarray] = []
        for clip, frames in self._rows(layer):
            full = (len(held) + 1) * frames.nbytes > batch_bytes
            if held and (full or held[0].shape != frames.shape):
                yield names, np.stack(held)
                names, held = [], []
            names.append(clip)
            held.append(frames)
        if held:
            yield names, np.stack(held)

    def clip(self, name: str, layer: str) -> np.ndarray:
        """(time, bands, channels) float32 of one clip; reads the row groups that may hold it and no others.

        Raises ProductError when the file has no such clip or layer.
        """
        for index in range(bisect_left(self._last, name), len(self._last)):
            for clip, frames in self._group(index, layer):
                if clip == name:
                    return frames
            if self._last[index] > name:
                break
        self._require_layer(layer)
        raise ProductError(self.path, f"has no clip {name!r}", rebuild(self.path))

    def rows(self) -> Iterator[Row]:
        """All rows in order."""
        for index in range(len(self._last)):
            yield from self._read(index)

    def _rows(self, layer: str) -> Iterator[tuple[str, np.ndarray]]:
        for index in range(len(self._last)):
            yield from self._group(index, layer)

    def _group(self, index: int, layer: str) -> Iterator[tuple[str, np.ndarray]]:
        low, high = self._layers[index]
        if low <= layer <= high:
            yield from ((clip, frames) for clip, found, frames in self._read(index) if found == layer)

    def _read(self, index: int) -> Iterator[Row]:
        with tables.whole(self.path):
            self._seal.check(index)
        table = self._file.read_row_group(index)
        tables.check(self.path, FRAMES, table)
        table = table.combine_chunks()
        values = table.column("values").combine_chunks()
        offsets = values.offsets.to_numpy()
        flat = values.values.to_numpy(zero_copy_only=True)
        shapes = np.stack([table.column(name).to_numpy() for name in ("time", "bands", "channels")], axis=1)
        clips, layers = (table.column(name).to_pylist() for name in ("clip", "layer"))
        for row, (clip, layer) in enumerate(zip(clips, layers, strict=True)):
            shape, value = tuple(int(size) for size in shapes[row]), flat[offsets[row] : offsets[row + 1]]
            if len(value) != np.prod(shape):
                raise ProductError(
                    self.path,
                    f"clip {clip!r}, layer {layer!r} has {len(value)} values for shape {shape}",
                    rebuild(self.path),
                )
            yield clip, layer, value.reshape(shape)

    def _require_layer(self, layer: str) -> None:
        if self._last and layer not in (found := self.layers()):
            raise ProductError(
                self.path,
                f"has no layer {layer!r}; it has {', '.join(found)}",
                "Add the layer to the encoder's `layers` and run again.",
            )


@contextmanager
def open_frames(path: str | Path, made_by: Mapping[str, Any] | None = None) -> Iterator[FrameFile]:
    """Open a frames product.

    Raises ProductError when it is missing, damaged or another product, or, where `made_by` is given, was made
    from other parameters.
    """
    with tables.open_product(path, "frames", made_by) as (file, seal):
        yield FrameFile(path, file, seal)


def read_frames(path: str | Path, layer: str) -> Iterator[tuple[list[str], np.ndarray]]:
    """Batches of one layer: clips, (clips, time, bands, channels) float32; see `FrameFile.batches`."""
    with open_frames(path) as file:
        yield from file.batches(layer)


def read_clip(path: str | Path, clip: str, layer: str) -> np.ndarray:
    """(time, bands, channels) float32 of one clip, without scanning the file; see `FrameFile.clip`."""
    with open_frames(path) as file:
        return file.clip(clip, layer)


def merge(parts: Sequence[str | Path], path: str | Path) -> None:
    """Join files of consecutive clips, in order, into the bytes that one extraction of all of them gives.

    Raises ProductError when a part is no frames product, was made from other parameters than the first one,
    or does not come after the one before it.
    """
    with open_frames(parts[0]) as first:
        made_by = first.made_by
    with frame_writer(path, made_by) as writer:
        for part in parts:
            with open_frames(part, made_by) as file:
                for row in file.rows():
                    writer.add(*row)


def _ends(statistics) -> tuple[str, str]:
    return statistics.min, statistics.max
