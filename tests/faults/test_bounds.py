"""A small file cannot take all memory: bounds that are stated, can be raised, and reading in blocks."""

from __future__ import annotations

import gzip
import tracemalloc

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from asdflow import datasets
from asdflow.audio import AudioOptions, read_clip
from asdflow.audio.files import open_audio
from asdflow.audio.measuring import measure
from asdflow.encoders.openl3.checkpoint import read
from asdflow.foundation.errors import DataError, FetchError
from asdflow.stages.usable import require_usable


def peak_of(work) -> int:
    """Bytes that were allocated at most, beyond those before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def table(path, samples: int, rate: int, channels: int = 1) -> pa.Table:
    columns = {"clip": "a", "path": str(path), "samples": samples, "sample_rate": rate, "channels": channels}
    return pa.table(
        {key: [value] for key, value in columns.items()} | {"warnings": [[]], "duration_s": [samples / rate]}
    )


def test_a_header_of_1_hz_does_not_fill_the_memory(tmp_path):
    """80 kB: 40000 samples, eleven hours at 1 Hz, 640 million samples at 16 kHz."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, 40000), 1)

    def read():
        message = (
            r"a\.wav: is 40000 s long at 1 Hz: 640000000 samples .*audio\.max_samples, 60000000\. Cut it"
        )
        with pytest.raises(DataError, match=message):
            read_clip(path, 16000)

    assert peak_of(read) < 1e6
    with pytest.raises(DataError, match=r"(?s)a: is 40000 s long at 1 Hz.*max_samples"):
        require_usable(table(path, 40000, 1), AudioOptions(), 16000, 400, "yamnet")


def test_the_bound_can_be_raised_and_counts_what_is_kept(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, 24000), 8000)
    for options in (
        AudioOptions(max_samples=47999),
        AudioOptions(max_samples=47999, length="tile_max", longest_s=3.0),
    ):
        with pytest.raises(DataError, match="48000 samples"):
            read_clip(path, 16000, options)
    assert len(read_clip(path, 16000, AudioOptions(max_samples=48000))) == 48000
    assert len(read_clip(path, 4000, AudioOptions(max_samples=24000))) == 12000
    with pytest.raises(DataError, match="24000 samples"):
        read_clip(path, 4000, AudioOptions(max_samples=23999))


def test_a_segment_of_a_long_file_is_read_whatever_the_file(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, 80000), 8000)
    options = AudioOptions(max_samples=8000)
    assert len(read_clip(path, 8000, options, start_s=5.0, duration_s=1.0)) == 8000


def test_eight_channels_cost_the_memory_of_one(tmp_path):
    path, seconds = tmp_path / "a.wav", 10
    random = np.random.default_rng(0)
    soundfile.write(path, random.uniform(-0.1, 0.1, (48000 * seconds, 8)), 48000)
    read_clip(path, 48000)  # imports
    one = 48000 * seconds * 8
    assert peak_of(lambda: read_clip(path, 48000)) < 2.5 * one + 65536 * 8 * 8 * 3


@pytest.mark.parametrize("channels", [2, 64])
def test_measuring_a_long_file_takes_the_memory_of_a_block(tmp_path, channels):
    """400 s of silence at 96 kHz in 64 channels would be 20 GB; here a shorter one of the same kind."""
    path = tmp_path / "a.wav"
    with soundfile.SoundFile(path, "w", 96000, channels, "PCM_U8") as file:
        for _ in range(20):
            file.write(np.zeros((64000 // channels * 2, channels)))

    def work():
        with open_audio(path) as file:
            measure(file, 0, file.frames)

    work()
    assert peak_of(work) < 60e6


def test_the_mean_of_channels_read_in_blocks_is_that_of_the_whole(tmp_path):
    path = tmp_path / "a.wav"
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, (200_001, 3))
    soundfile.write(path, samples, 16000, subtype="DOUBLE")
    np.testing.assert_array_equal(read_clip(path, 16000), samples.mean(axis=1).astype(np.float32))


def vectors(path, rows: int, width: int, word: str = "a") -> None:
    columns = {
        "clip": [f"{word}{row}" for row in range(rows)],
        "machine": ["fan"] * rows,
        "section": ["00"] * rows,
        "domain": pa.nulls(rows, pa.string()),
        "split": ["train"] * rows,
        "label": pa.nulls(rows, pa.string()),
        "values": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(rows * width, np.float32)), width).cast(
            pa.list_(pa.float32())
        ),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def test_a_small_file_of_vectors_that_unpacks_to_gigabytes_is_refused(tmp_path):
    vectors(tmp_path / "v.parquet", 30, 1_000_000)
    assert (tmp_path / "v.parquet").stat().st_size < 20_000
    data = datasets.build({"kind": "embeddings", "vectors": {"mine": "v.parquet"}, "max_values": 20_000_000})

    def read():
        message = (
            r"would unpack to 30 rows, 30000000 numbers: 30003000, above max_values, 20000000\. Split it"
        )
        with pytest.raises(DataError, match=message):
            data.machine_names("mine", tmp_path)

    assert peak_of(read) < 1e6
    allowed = datasets.build(
        {"kind": "embeddings", "vectors": {"mine": "v.parquet"}, "max_values": 30_003_000}
    )
    assert allowed.machine_names("mine", tmp_path) == ["fan"]


def test_small_files_of_weights_that_announce_gigabytes_are_refused(tmp_path):
    """A dataset of HDF5 without chunks takes no room until it is written; zeros hardly any in gzip."""
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.attrs["layer_names"] = [b"dense"]
        file.create_group("dense").attrs["weight_names"] = [b"kernel:0"]
        file["dense"].create_dataset("kernel:0", (1 << 32,), "f4", chunks=(1 << 20,))
    with gzip.open(tmp_path / "huge.h5.gz", "wb", compresslevel=9) as file:
        for _ in range(300):
            file.write(bytes(1 << 20))
    for name, message in (("huge.h5", "announces more than"), ("huge.h5.gz", "unpacks to more than")):
        assert (tmp_path / name).stat().st_size < 400_000
        with pytest.raises(FetchError, match=f"{name}: .*{message}"):
            read(tmp_path / name)


def test_long_words_are_not_repeated_in_memory(tmp_path):
    vectors(tmp_path / "v.parquet", 40, 2, word="x" * 5000)
    data = datasets.build({"kind": "embeddings", "vectors": {"mine": "v.parquet"}})
    with pytest.raises(DataError, match=r"column 'clip': has a word of 500[12] bytes, at most 1000 letters"):
        data.clips_table("mine", tmp_path, "fan")
