"""Recordings whose header tells another length than their bytes: refused, or read whole, never cut."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asdflow.audio import containers
from asdflow.audio.files import open_audio
from asdflow.foundation.errors import DataError

RATE = 8000
SAMPLES = 16000
CONTAINERS = [
    *(("WAV", "PCM_16", "LITTLE"), ("WAV", "PCM_24", "BIG"), ("WAVEX", "PCM_16", "FILE")),
    *(("RF64", "PCM_16", "FILE"), ("W64", "PCM_16", "FILE"), ("W64", "DOUBLE", "FILE")),
    *(("AIFF", "PCM_16", "BIG"), ("AIFF", "PCM_16", "LITTLE"), ("AIFF", "FLOAT", "FILE")),
    *(
        ("AU", "PCM_16", "BIG"),
        ("AU", "PCM_16", "LITTLE"),
        ("CAF", "PCM_24", "FILE"),
        ("CAF", "ALAC_16", "FILE"),
    ),
    *(("WAV", "IMA_ADPCM", "FILE"), ("WAV", "GSM610", "FILE"), ("AU", "G721_32", "FILE")),
    *(("FLAC", "PCM_16", "FILE"), ("MP3", "MPEG_LAYER_III", "FILE")),
]


def sound(folder: Path, kind: str, subtype: str, endian: str = "FILE", channels: int = 1) -> bytes:
    samples = np.random.default_rng(2).uniform(-0.5, 0.5, (SAMPLES, channels))
    soundfile.write(folder / "made", samples, RATE, format=kind, subtype=subtype, endian=endian)
    return (folder / "made").read_bytes()


def read(folder: Path, data: bytes) -> int:
    """Samples that are read."""
    path = folder / "a.sound"
    path.write_bytes(data)
    with open_audio(path) as file:
        return len(file.read(0, file.frames))


@pytest.mark.parametrize(("kind", "subtype", "endian"), CONTAINERS)
def test_a_whole_file_is_read_whole(tmp_path, kind, subtype, endian):
    assert (
        SAMPLES <= read(tmp_path, sound(tmp_path, kind, subtype, endian)) < SAMPLES + 200
    )  # blocks of codings


@pytest.mark.parametrize(("kind", "subtype", "endian"), CONTAINERS)
@pytest.mark.parametrize("share", [0.6, 0.99])
def test_a_copy_that_broke_off_is_refused(tmp_path, kind, subtype, endian, share):
    data = sound(tmp_path, kind, subtype, endian)
    with pytest.raises(DataError, match="cut short"):
        read(tmp_path, data[: int(share * len(data))])


def announce(data: bytes, chunk: bytes, size: int, order: str) -> bytes:
    """The file with another size of that chunk in its header."""
    place = data.index(chunk) + 4
    return data[:place] + struct.pack(f"{order}I", size) + data[place + 4 :]


HALF = {
    "riff": lambda folder: announce(sound(folder, "WAV", "PCM_16"), b"data", SAMPLES, "<"),
    "rifx": lambda folder: announce(sound(folder, "WAV", "PCM_16", "BIG"), b"data", SAMPLES, ">"),
    "aiff": lambda folder: announce(sound(folder, "AIFF", "PCM_16"), b"SSND", SAMPLES, ">"),
    "au": lambda folder: (data := sound(folder, "AU", "PCM_16"))[:8] + struct.pack(">I", SAMPLES) + data[12:],
}


@pytest.mark.parametrize("kind", HALF)
def test_a_recorder_that_lost_power_leaves_a_header_that_announces_too_little(tmp_path, kind):
    """16-bit mono: a size of 16000 bytes announces half of the samples; sizes that wrapped look the same."""
    with pytest.raises(
        DataError, match=r"longer than its header says: \d+ bytes .*then 1600[08] bytes that are no"
    ):
        read(tmp_path, HALF[kind](tmp_path))


def test_a_w64_and_a_caf_header_that_announce_too_little_are_refused(tmp_path):
    data = bytearray(sound(tmp_path, "W64", "PCM_16"))
    place = data.index(b"data") + 16
    data[place : place + 8] = struct.pack("<Q", 16000 + 24)
    with pytest.raises(DataError, match="longer than its header says"):
        read(tmp_path, bytes(data))
    data = bytearray(sound(tmp_path, "CAF", "PCM_16"))
    place = data.index(b"data") + 4
    data[place : place + 8] = struct.pack(">q", 16000 + 4)
    with pytest.raises(DataError, match="longer than its header says"):
        read(tmp_path, bytes(data))


def test_a_flac_header_that_announces_too_little_is_refused(tmp_path):
    data = bytearray(sound(tmp_path, "FLAC", "PCM_16"))
    data[22:26] = struct.pack(">I", SAMPLES // 2)  # the low bits of STREAMINFO's total
    with pytest.raises(
        DataError, match=f"{SAMPLES // 2} samples announced, the last frame ends at {SAMPLES}"
    ):
        read(tmp_path, bytes(data))


def test_an_mp3_header_that_announces_too_little_is_refused(tmp_path):
    data = bytearray(sound(tmp_path, "MP3", "MPEG_LAYER_III"))
    place = max(data.find(b"Xing"), data.find(b"Info")) + 8
    data[place : place + 4] = struct.pack(">I", 7)
    with pytest.raises(DataError, match="7 frames are announced"):
        read(tmp_path, bytes(data))


def test_a_second_stream_behind_an_ogg_file_is_not_left_out(tmp_path):
    data = sound(tmp_path, "OGG", "VORBIS")
    with pytest.raises(DataError, match=f"second stream from byte {len(data)} on"):
        read(tmp_path, data + data)


def test_a_second_chunk_of_samples_is_not_left_out(tmp_path):
    data = sound(tmp_path, "WAV", "PCM_16")
    again = b"data" + struct.pack("<I", 8000) + bytes(range(250)) * 32
    with pytest.raises(DataError, match="a second chunk 'data' of 8000 bytes"):
        read(tmp_path, data + again)


TAGS = {
    "LIST": b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf58.29.100\0",
    "LIST cut short": b"LIST" + struct.pack("<I", 2600) + b"INFOISFT",
    "id3": b"id3 " + struct.pack("<I", 20) + b"ID3\x04\0\0\0\0\0\x0a" + bytes(10),
    "a chunk of somebody's own": b"MINE" + struct.pack("<I", 4) + b"abcd",
    "several": (b"bext" + struct.pack("<I", 6) + b"abcdef" + b"junk" + struct.pack("<I", 3) + b"abc\0"),
    "a bare tag": b"TAG" + b"title".ljust(125, b"\0"),
    "zeros to the end of a block": bytes(4096),
    "a stray byte": b"x",
}


@pytest.mark.parametrize("name", TAGS)
def test_what_may_stand_behind_the_samples_is_no_fault(tmp_path, name):
    assert read(tmp_path, sound(tmp_path, "WAV", "PCM_16") + TAGS[name]) == SAMPLES


def test_an_odd_chunk_of_samples_may_lack_its_padding(tmp_path):
    samples = np.random.default_rng(2).integers(1, 255, 1001, dtype=np.uint8).tobytes()
    form = struct.pack("<HHIIHH", 1, 1, RATE, RATE, 1, 8)
    head = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", 1001) + samples
    for padding in (b"", b"\0"):
        body = head + padding + TAGS["LIST"]
        assert read(tmp_path, b"RIFF" + struct.pack("<I", len(body)) + body) == 1001


def test_a_stream_that_does_not_know_its_size_is_read_to_its_end(tmp_path):
    data = announce(sound(tmp_path, "WAV", "PCM_16"), b"data", 0xFFFFFFFF, "<")
    assert read(tmp_path, data) == SAMPLES
    au = sound(tmp_path, "AU", "PCM_16")
    assert read(tmp_path, au[:8] + b"\xff" * 4 + au[12:]) == SAMPLES


@pytest.mark.parametrize("kind", ["SVX", "NIST", "PVF", "MAT5", "VOC", "IRCAM", "PAF", "AVR"])
def test_containers_whose_length_cannot_be_checked_are_refused(tmp_path, kind):
    with pytest.raises(DataError, match=r"whose length cannot be checked\. Convert it to wav or flac"):
        read(tmp_path, sound(tmp_path, kind, "PCM_16"))


def test_sizes_that_wrapped_at_4_gib_are_found_without_reading_the_samples(tmp_path):
    """A sparse file of 4 GiB and 32 kB whose header announces 32 kB; behind them lies sound."""
    path = tmp_path / "a.wav"
    data = sound(tmp_path, "WAV", "PCM_16")
    with open(path, "wb") as file:
        file.write(data)
        file.write(np.random.default_rng(1).bytes(1 << 20))
        file.truncate((1 << 32) + len(data))
    assert "bytes that are no chunk" in containers.length_fault(path)
