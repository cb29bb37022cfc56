"""Extraction: clips in, frames out, in bounded memory, the same bytes however it is cut up."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asdflow.encoders.base import Encoder
from asdflow.foundation.errors import ConfigError, DataError, ProductError
from asdflow.foundation.progress import Progress
from asdflow.products import frames, tables
from asdflow.stages.frames import LOOKAHEAD, extract, merge, open_frames, read_clip, read_frames, shard_of

LENGTHS = (1000, 1600, 1000, 400)


@dataclass(frozen=True)
class Blocks(Encoder):
    """Cuts a clip into blocks of 100 samples: (blocks, 4 bands, 25 channels), times 1, 2 or 3 by layer."""

    layers: tuple[str, ...] = ("a",)
    storage: str = "float32"
    stored_bands: str = "keep"
    width: int = 1  # copies along channels, to make frames large
    calls: list = field(default_factory=list, compare=False)

    name: ClassVar = "blocks"
    sample_rate = 1000
    available_layers = ("a", "b", "c")
    min_samples = 200
    library: ClassVar = "numpy"

    def output_shape(self, layer, samples):
        return samples // 100, 4, 25 * self.width

    def frame_times(self, samples, layer=None):
        return np.arange(samples // 100) / 10 + 0.05

    def _forward(self, waveforms):
        self.calls.append(waveforms.shape)
        blocks = waveforms[:, : waveforms.shape[1] // 100 * 100].reshape(len(waveforms), -1, 4, 25)
        return {
            layer: np.tile(blocks, self.width) * (1 + self.available_layers.index(layer))
            for layer in self.layers
        }


def name(index: int) -> str:
    return f"train/clip_{index:04d}"


def clips(count: int, first: int = 0) -> pa.Table:
    return pa.table({"clip": [name(index) for index in range(first, first + count)]})


def wave(row, rate, lengths=LENGTHS) -> np.ndarray:
    index = int(row["clip"][-4:])
    return np.random.default_rng(index).standard_normal(lengths[index % len(lengths)]).astype(np.float32)


def expected(index: int, layer: str) -> np.ndarray:
    return Blocks(layers=(layer,)).frames(wave({"clip": name(index)}, 1000)[None])[0]


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(path: Path, count: int = 12, table: pa.Table | None = None, load=wave, **options) -> Blocks:
    keys = ("layers", "storage", "stored_bands", "width")
    encoder = Blocks(**{key: options.pop(key) for key in keys if key in options})
    table = clips(count) if table is None else table
    extract(table, load, encoder, path, {"by": "test"}, progress=False, **options)
    return encoder


def test_the_table_holds_every_clip_and_layer_sorted_with_its_own_frames(tmp_path):
    path = tmp_path / "frames.parquet"
    run(path, layers=("c", "a"), table=clips(12).take(np.random.default_rng(0).permutation(12)))
    table = tables.read(path, "frames", made_by={"by": "test"})
    keys = list(zip(table.column("clip").to_pylist(), table.column("layer").to_pylist(), strict=True))
    assert keys == [(name(index), layer) for index in range(12) for layer in ("a", "c")]
    for (_, layer), row in zip(keys, table.to_pylist(), strict=True):
        frames_of = expected(int(row["clip"][-4:]), layer)
        assert (row["time"], row["bands"], row["channels"]) == frames_of.shape
        assert np.array_equal(np.float32(row["values"]), frames_of.reshape(-1))


def test_clips_of_unequal_length_keep_their_number_of_frames(tmp_path):
    run(tmp_path / "f.parquet", 4)
    with open_frames(tmp_path / "f.parquet") as file:
        assert [file.clip(name(index), "a").shape[0] for index in range(4)] == [10, 16, 10, 4]


@pytest.mark.parametrize("layers", [("a",), ("b", "c", "a")])
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_the_bytes_do_not_depend_on_the_batch(tmp_path, layers, batch):
    run(tmp_path / "one.parquet", layers=layers, batch=4, width=60)
    run(tmp_path / "two.parquet", layers=layers, batch=batch, width=60)
    assert sha(tmp_path / "one.parquet") == sha(tmp_path / "two.parquet")


def test_equal_lengths_go_through_the_encoder_together(tmp_path):
    encoder = run(tmp_path / "f.parquet", 16, batch=4)
    # One window of 16 clips holds 8 of 1000 samples, 4 of 1600 and 4 of 400.
    assert sorted(encoder.calls) == [(4, 400), (4, 1000), (4, 1000), (4, 1600)]


@pytest.mark.parametrize("width", [1, 60])
@pytest.mark.parametrize("shards", [1, 3, 11, 14])
def test_shards_merge_to_the_bytes_of_the_whole(tmp_path, width, shards):
    layers, mixed = ("a", "b"), clips(11).take(np.random.default_rng(0).permutation(11))
    run(tmp_path / "whole.parquet", 11, layers=layers, width=width)
    parts = []
    for shard in range(1, shards + 1):
        parts.append(tmp_path / f"{shard}.parquet")
        run(parts[-1], table=shard_of(mixed, shard, shards), layers=layers, width=width)
    merge(parts, tmp_path / "merged.parquet")
    assert sha(tmp_path / "merged.parquet") == sha(tmp_path / "whole.parquet")


def test_shards_in_the_wrong_order_are_refused(tmp_path):
    parts = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    run(parts[0], table=clips(4, 4))
    run(parts[1], table=clips(4, 0))
    with pytest.raises(ProductError, match=r"does not come after .* in the order of their clips"):
        merge(parts, tmp_path / "merged.parquet")
    assert not (tmp_path / "merged.parquet").exists()


def test_every_clip_is_in_one_shard_and_shards_differ_by_one_clip_at_most():
    for count, shards in ((10, 3), (7, 7), (3, 5), (0, 2)):
        parts = [
            shard_of(clips(count), shard, shards).column("clip").to_pylist() for shard in range(1, shards + 1)
        ]
        assert [clip for part in parts for clip in part] == [name(index) for index in range(count)]
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_shards_of_other_parameters_are_refused(tmp_path):
    parts = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    run(parts[0], table=clips(2))
    extract(clips(2, 2), wave, Blocks(), parts[1], {"by": "another test"}, progress=False)
    with pytest.raises(ProductError, match=r"1\.parquet.*was made from .*another test"):
        merge(parts, tmp_path / "merged.parquet")


def test_a_shard_that_is_absent_is_named(tmp_path):
    with pytest.raises(ProductError, match=r"0\.parquet: does not exist"):
        merge([tmp_path / "0.parquet"], tmp_path / "merged.parquet")


def test_read_frames_gives_one_layer_in_order_in_batches_of_one_shape(tmp_path):
    run(tmp_path / "f.parquet", 12, layers=("a", "b"))
    seen = []
    for names, batch in read_frames(tmp_path / "f.parquet", "b"):
        assert batch.dtype == np.float32 and batch.shape[0] == len(names)
        for clip, own in zip(names, batch, strict=True):
            assert np.array_equal(own, expected(int(clip[-4:]), "b"))
            seen.append(clip)
    assert seen == [name(index) for index in range(12)]


def test_batches_are_as_large_as_asked_for(tmp_path):
    run(tmp_path / "f.parquet", 12, load=lambda row, rate: wave(row, rate, (1000,)))
    with open_frames(tmp_path / "f.parquet") as file:
        assert [len(names) for names, _ in file.batches("a", batch_bytes=5 * 4000)] == [5, 5, 2]
        assert [len(names) for names, _ in file.batches("a", batch_bytes=1)] == [1] * 12


def groups_read(monkeypatch) -> list[int]:
    read: list[int] = []
    original = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda self, i, *a, **k: read.append(i) or original(self, i, *a, **k),
    )
    return read


def test_one_clip_is_read_without_scanning(tmp_path, monkeypatch):
    path = tmp_path / "f.parquet"
    run(path, 40, width=100, load=lambda row, rate: wave(row, rate, (1000,)))
    assert pq.ParquetFile(path).num_row_groups == 2  # 0.4 MB a clip, 8 MB a group
    read = groups_read(monkeypatch)
    assert np.array_equal(read_clip(path, name(33), "a")[..., :25], wave_blocks(33))
    assert read == [1]


def wave_blocks(index: int) -> np.ndarray:
    return wave({"clip": name(index)}, 1000, (1000,)).reshape(10, 4, 25)


def test_one_large_layer_is_read_without_the_others(tmp_path, monkeypatch):
    path = tmp_path / "f.parquet"
    run(path, 5, layers=("a", "b", "c"), width=100, load=lambda row, rate: wave(row, rate, (1000,)))
    read = groups_read(monkeypatch)
    assert sum(len(names) for names, _ in read_frames(path, "b")) == 5
    assert read == [1, 4, 7, 10, 13]


def test_small_frames_share_row_groups(tmp_path):
    run(tmp_path / "f.parquet", 100, layers=("a", "b", "c"))
    assert pq.ParquetFile(tmp_path / "f.parquet").num_row_groups == 1


def test_an_unknown_layer_or_clip_is_named(tmp_path):
    path = tmp_path / "f.parquet"
    run(path, layers=("a", "b"))
    with pytest.raises(ProductError, match="no layer 'z'; it has a, b"):
        list(read_frames(path, "z"))
    with pytest.raises(ProductError, match="no layer 'z'"):
        read_clip(path, name(0), "z")
    for clip in ("train/clip_0003b", "aaa", "zzz"):
        with pytest.raises(ProductError, match=f"no clip '{clip}'"):
            read_clip(path, clip, "a")


def test_a_machine_without_clips_gives_an_empty_table(tmp_path):
    run(tmp_path / "f.parquet", 0)
    assert tables.read(tmp_path / "f.parquet", "frames").num_rows == 0
    assert list(read_frames(tmp_path / "f.parquet", "a")) == []


def test_values_that_do_not_fill_their_shape_are_refused(tmp_path):
    path = tmp_path / "f.parquet"
    row = {"clip": ["x"], "layer": ["a"], "time": [2], "bands": [1], "channels": [3], "values": [[1.0] * 5]}
    tables.write(path, "frames", row, {})
    with pytest.raises(ProductError, match=r"5 values for shape \(2, 1, 3\)"):
        list(read_frames(path, "a"))


# -- precision -----------------------------------------------------------------------------------------------


def test_float16_rounds_to_the_nearest_and_halves_nothing_else(tmp_path):
    run(tmp_path / "full.parquet")
    run(tmp_path / "half.parquet", storage="float16")
    for (names, full), (same, half) in zip(
        read_frames(tmp_path / "full.parquet", "a"), read_frames(tmp_path / "half.parquet", "a"), strict=True
    ):
        assert names == same and half.dtype == np.float32
        assert np.array_equal(half, full.astype(np.float16).astype(np.float32))
        assert (np.abs(half - full) <= np.maximum(np.abs(full) * 2**-11, 2**-25)).all()
    assert (tmp_path / "half.parquet").stat().st_size < 0.6 * (tmp_path / "full.parquet").stat().st_size


def test_a_value_beyond_float16_is_an_error_that_names_the_clip(tmp_path):
    with pytest.raises(DataError, match=r"clip train/clip_0000: .*70000.*65504.*storage: float32"):
        run(tmp_path / "f.parquet", 1, storage="float16", load=lambda row, rate: np.full(1000, 7e4, "f4"))
    assert not (tmp_path / "f.parquet").exists()


def test_bands_are_averaged_on_request(tmp_path):
    run(tmp_path / "f.parquet", 4, stored_bands="mean")
    for index in range(4):
        mean = expected(index, "a").mean(axis=1, keepdims=True)
        assert np.array_equal(read_clip(tmp_path / "f.parquet", name(index), "a"), mean)


# -- bad clips -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.zeros(199, np.float32), r"0\.199 s long.*blocks needs at least 0\.2 s"),
        (np.full(1000, np.nan, np.float32), "1000 values that are not finite"),
        (np.zeros((1000, 2), np.float32), r"shape \(1, 1000, 2\)"),
        (np.zeros(1000, np.int16), "int16"),
    ],
)
def test_a_bad_clip_is_named_and_nothing_is_left(tmp_path, bad, words):
    def load(row, rate):
        return bad if row["clip"] == name(7) else wave(row, rate)

    with pytest.raises(DataError, match=rf"^clip {name(7)}: .*{words}"):
        run(tmp_path / "f.parquet", load=load)
    assert list(tmp_path.iterdir()) == []


def test_a_clip_that_stands_twice_in_the_table_is_refused(tmp_path):
    with pytest.raises(ProductError, match=r"does not come after .* its own name"):
        run(tmp_path / "f.parquet", table=pa.concat_tables([clips(3), clips(1)]))


# -- long work -----------------------------------------------------------------------------------------------


def test_memory_holds_a_bounded_number_of_clips_however_many_there_are(tmp_path):
    loaded: list[weakref.ref] = []
    most = 0

    def load(row, rate):
        nonlocal most
        array = wave(row, rate)
        loaded.append(weakref.ref(array))
        most = max(most, sum(one() is not None for one in loaded))
        return array

    run(tmp_path / "f.parquet", 100, batch=2, load=load)
    assert 2 * LOOKAHEAD <= most <= 2 * 2 * LOOKAHEAD


def test_killed_in_the_middle_it_leaves_no_file_and_runs_again_to_the_same_bytes(tmp_path):
    code = f"""
import sys, time; sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_extraction as t
def load(row, rate):
    print(row["clip"], flush=True); time.sleep(0.02)
    return t.wave(row, rate)
t.run(t.Path({str(tmp_path / "f.parquet")!r}), 400, load=load)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.strip() == name(60):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "f.parquet").exists()
    assert len(list(tmp_path.iterdir())) == 1  # hidden, under no name of a product
    run(tmp_path / "f.parquet", 400)
    assert [path.name for path in tmp_path.iterdir()] == ["f.parquet"]
    run(tmp_path / "whole.parquet", 400)
    assert sha(tmp_path / "f.parquet") == sha(tmp_path / "whole.parquet")


def test_what_a_running_process_writes_is_left_alone(tmp_path):
    (tmp_path / f".f.parquet.{os.getppid()}.part").touch()
    (tmp_path / ".f.parquet.notes.part").touch()
    run(tmp_path / "f.parquet", 2)
    assert len(list(tmp_path.iterdir())) == 3


def test_progress_in_a_log_is_plain_lines_with_rate_and_remaining_time(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Progress(100, "factory fan") as shown:
        for _ in range(10):
            now[0] += 4.0
            shown.advance(10)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "factory fan: 30 of 100 clips, 2.5 clips/s, 28 s left",
        "factory fan: 60 of 100 clips, 2.5 clips/s, 16 s left",
        "factory fan: 90 of 100 clips, 2.5 clips/s, 4 s left",
        "factory fan: 100 of 100 clips, 2.5 clips/s, 40 s in all",
    ]


@pytest.mark.parametrize(("side_by_side", "during"), [(False, 1), (True, 3)])
def test_torch_has_several_threads_only_where_they_change_no_bit(tmp_path, side_by_side, during):
    import torch

    seen = []

    @dataclass(frozen=True)
    class Torch(Blocks):
        library: ClassVar = "torch"

        def _forward(self, waveforms):
            seen.append(torch.get_num_threads())
            return {"a": waveforms.reshape(len(waveforms), -1, 4, 25)}

    Torch.side_by_side = side_by_side
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        extract(clips(2), wave, Torch(), tmp_path / "f.parquet", {}, threads=3, progress=False)
        assert set(seen) == {during} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_bytes_do_not_depend_on_the_number_of_threads(tmp_path):
    for threads in (1, 3):
        run(tmp_path / f"{threads}.parquet", 40, threads=threads)
    assert sha(tmp_path / "1.parquet") == sha(tmp_path / "3.parquet")


@pytest.mark.parametrize(("threads", "together"), [(1, 4), (2, 4), (3, 6), (7, 7)])
def test_every_thread_of_the_encoder_gets_a_clip(tmp_path, threads, together):
    encoder = run(
        tmp_path / "f.parquet", 42, threads=threads, load=lambda row, rate: wave(row, rate, (1000,))
    )
    assert encoder.calls[0] == (together, 1000)


def test_the_next_clips_are_decoded_while_the_encoder_computes(tmp_path):
    asked = threading.Event()

    class Waiting(Blocks):
        def _forward(self, waveforms):
            assert asked.wait(20), "clips of the next window were not asked for"
            return super()._forward(waveforms)

    def load(row, rate):
        if row["clip"] == name(2 * LOOKAHEAD):  # first clip of the second window
            asked.set()
        return wave(row, rate)

    extract(clips(20), load, Waiting(), tmp_path / "f.parquet", {}, batch=2, progress=False)


def test_frames_are_written_while_the_encoder_computes(tmp_path, monkeypatch):
    written = threading.Event()
    add = frames.FrameWriter.add
    monkeypatch.setattr(frames.FrameWriter, "add", lambda *row: (add(*row), written.set()))

    class Waiting(Blocks):
        def _forward(self, waveforms):
            assert not self.calls or written.wait(20), "frames of the batch before were not written"
            return super()._forward(waveforms)

    extract(clips(8), wave, Waiting(), tmp_path / "f.parquet", {}, batch=2, progress=False)
    assert written.is_set()


def test_frames_that_wait_to_be_written_are_bounded(tmp_path, monkeypatch):
    made, added, most = 0, 0, 0
    add = frames.FrameWriter.add

    def slow(self, *row):
        nonlocal added
        time.sleep(0.002)
        added += 1
        add(self, *row)

    class Counting(Blocks):
        def _forward(self, waveforms):
            nonlocal made, most
            most = max(most, made - added)
            made += len(waveforms)
            return super()._forward(waveforms)

    monkeypatch.setattr(frames.FrameWriter, "add", slow)
    same = lambda row, rate: wave(row, rate, (1000,))  # noqa: E731
    extract(clips(60), same, Counting(), tmp_path / "f.parquet", {}, batch=3, progress=False)
    assert 3 <= most <= 2 * 3


def test_a_full_disk_stops_the_extraction_and_leaves_nothing(tmp_path, monkeypatch):
    def full(self, *row):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(frames.FrameWriter, "add", full)
    with pytest.raises(ProductError, match="disk is full"):
        run(tmp_path / "f.parquet", 40)
    assert list(tmp_path.iterdir()) == []


def test_several_layers_need_a_name_where_one_is_asked_for():
    with pytest.raises(ConfigError, match="2 layers selected"):
        Blocks(layers=("a", "b")).frames(np.zeros((1, 400), np.float32))


def test_a_group_never_exceeds_its_bound_unless_a_row_does(tmp_path, monkeypatch):
    monkeypatch.setattr(frames, "GROUP_BYTES", 10_000)
    run(tmp_path / "f.parquet", 20)
    sizes = []
    file = pq.ParquetFile(tmp_path / "f.parquet")
    for index in range(file.num_row_groups):
        rows = file.read_row_group(index)
        sizes.append((rows.num_rows, 4 * sum(map(len, rows.column("values").to_pylist()))))
    assert all(size <= 10_000 or rows == 1 for rows, size in sizes) and max(rows for rows, _ in sizes) > 1
