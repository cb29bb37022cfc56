"""What a container says of its own length, held against the bytes that are there.

libsndfile takes what a header announces and reads on without a word when the file holds less or more of it: a
copy that broke off, a recorder that lost power before its last header update, sizes that wrapped at 4 GiB.
`length_fault` looks at the chunks itself. Chunks after the samples (LIST, ID3, bext, junk) are legal.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from asdflow.audio import streams

KNOWN = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3")
"""Formats, as libsndfile calls them, whose length can be checked; no others are read."""

BYTES = {"PCM_S8": 1, "PCM_U8": 1, "ULAW": 1, "ALAW": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4}
BYTES |= {"FLOAT": 4, "DOUBLE": 8}
"""Bytes of a sample, by libsndfile's name of the coding; others are compressed."""

_UNKNOWN = 0xFFFFFFFF  # how streams say that they do not know their size
_TAGS = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML", b"cue ", b"smpl", b"fact", b"JUNK", b"junk", b"PAD ")
_TAGS += (b"FLLR", b"afsp", b"PEAK", b"acid", b"inst", b"_PMX", b"axml", b"chna", b"cart", b"DISP", b"MARK")
_TAGS += (b"COMT", b"NAME", b"AUTH", b"ANNO", b"(c) ", b"APPL", b"INST", b"info", b"free", b"umid", b"strg")
_W64_DATA = b"data" + bytes.fromhex("f3acd3118cd100c04f8edb8a")
_W64_RIFF = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")


@dataclass(frozen=True)
class Samples:
    """The chunk of the samples: its first byte, and the bytes it announces (None: to the end)."""

    start: int
    size: int | None
    end: int  # of the file
    rest: str = ""
    """What lies behind it although it should not, or ""."""

    @property
    def present(self) -> int:
        """Bytes from its start to the end of the file."""
        return self.end - self.start

    @property
    def fault(self) -> str:
        """What is wrong with its size, or ""."""
        if self.size is None:
            return ""
        if self.size > self.present:
            return (
                f"is cut short: its header announces {self.size} bytes of samples, {self.present} are there"
            )
        if not self.rest:
            return ""
        if self.size == 0:
            return f"was not finished: its header announces no samples, {self.present} bytes follow"
        return f"is longer than its header says: {self.size} bytes of samples are announced, then {self.rest}"


def length_fault(path: Path) -> str:
    """What is wrong with the announced length of an audio file, as a phrase, or "" (also for other files)."""
    with open(path, "rb") as file:
        try:
            head = file.read(64)
            if streams.is_stream(head):
                return streams.length_fault(path, file, head)
            samples = _samples(file, head)
        except struct.error:
            samples = None
    if samples is None:
        return "is cut short: it ends before its samples begin" if _is_container(head) else ""
    return samples.fault


def frames_fault(path: Path, subtype: str, channels: int, frames: int) -> str:
    """What is wrong when the samples of a chunk are not as many as were opened, or "".

    Only for codings of fixed width, in which bytes tell the number of samples.
    """
    width = BYTES.get(subtype)
    if width is None:
        return ""
    with open(path, "rb") as file:
        samples = _samples(file, file.read(64))
    if samples is None:
        return ""
    announced = (samples.present if samples.size is None else samples.size) // (width * channels)
    if announced == frames:
        return ""
    return f"contradicts itself: its samples are {announced} by their bytes, {frames} by its header"


def _is_container(head: bytes) -> bool:
    return head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM") or head.startswith(_W64_RIFF)


def _samples(file: BinaryIO, head: bytes) -> Samples | None:
    """The samples' chunk of a RIFF, AIFF, W64, AU or CAF file; None where there is none."""
    end = os.fstat(file.fileno()).st_size
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return _chunked(file, 12, end, ">" if head[:4] == b"RIFX" else "<", b"data")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _chunked(file, 12, end, ">", b"SSND")
    if head.startswith(_W64_RIFF):
        return _wave64(file, end)
    if head[:4] in (b".snd", b"dns."):
        start, size = struct.unpack(">II" if head[:4] == b".snd" else "<II", head[4:12])
        size = None if size == _UNKNOWN else size
        return Samples(start, size, end, _rest(file, start + size, end) if size is not None else "")
    if head[:4] == b"caff":
        return _core_audio(file, end)
    return None


def _chunked(file: BinaryIO, place: int, end: int, order: str, wanted: bytes) -> Samples | None:
    """Chunks of 4 letters and 32 bits of size, padded to even length; RF64 keeps large sizes in `ds64`."""
    large = None
    for name, start, size in _chunks(file, place, end, order):
        if name == b"ds64":
            large = struct.unpack("<Q", file.read(16)[8:])[0]
        if name != wanted:
            continue
        if size == _UNKNOWN and wanted == b"data":
            if large is None:
                return Samples(start, None, end)
            size = large
        rest = _odd_chunks(file, start + size + size % 2, end, order, wanted)
        if rest and size % 2:  # some programs leave the padding out
            rest = _odd_chunks(file, start + size, end, order, wanted)
        if wanted == b"SSND":  # its first 8 bytes tell an offset, hardly ever used
            file.seek(start)
            offset = struct.unpack(">I", file.read(8)[:4])[0]
            start, size = start + 8 + offset, max(0, size - 8 - offset)
        return Samples(start, size, end, rest)
    return None


def _chunks(file: BinaryIO, place: int, end: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    while place + 8 <= end:
        file.seek(place)
        name, size = struct.unpack(f"{order}4sI", file.read(8))
        yield name, place + 8, size
        place += 8 + size + size % 2


def _odd_chunks(file: BinaryIO, place: int, end: int, order: str, wanted: bytes) -> str:
    """What follows the samples and is no chunk, or ""."""
    for name, start, size in _chunks(file, place, end, order):
        if name == wanted:
            return f"a second chunk {name.decode()!r} of {size} bytes"
        whole = start + size <= end and _printable(name)
        if not whole and name not in _TAGS:
            return _rest(file, start - 8, end)
        place = start + size + size % 2
    return _rest(file, place, end)


def _wave64(file: BinaryIO, end: int) -> Samples | None:
    """Chunks of 16 bytes of name and 64 bits of size, the header counted in, padded to eight."""
    place, found = 40, None
    while place + 24 <= end:
        file.seek(place)
        name, size = struct.unpack("<16sQ", file.read(24))
        if found and (size < 24 or not _printable(name[:4])):
            break
        if name == _W64_DATA and found:
            return Samples(*found, end, f"a second chunk of samples of {size - 24} bytes")
        if name == _W64_DATA:
            found = (place + 24, max(0, size - 24))
        if size < 24:
            return None
        place += size + -size % 8
    return Samples(*found, end, _rest(file, place, end)) if found else None


def _core_audio(file: BinaryIO, end: int) -> Samples | None:
    place, found = 8, None
    while place + 12 <= end:
        file.seek(place)
        name, size = struct.unpack(">4sq", file.read(12))
        if size < 0 and (name, size) != (b"data", -1):
            break
        if name == b"data":
            if found:
                return Samples(*found, end, f"a second chunk 'data' of {size} bytes")
            if size == -1:
                return Samples(place + 16, None, end)
            found = (place + 16, max(0, size - 4))  # its first 4 bytes count edits
        elif found and not _printable(name):
            break
        place += 12 + size
    return Samples(*found, end, _rest(file, place, end)) if found else None


def _printable(name: bytes) -> bool:
    return all(32 <= letter < 127 for letter in name)


def _rest(file: BinaryIO, place: int, end: int) -> str:
    """Bytes from `place` to the end that are more than a few or zeros, as a phrase, or ""."""
    if end - place < 8:  # less than a chunk's head: rounding of a programmer, not of a recorder
        return ""
    file.seek(place)
    if file.read(3) in (b"ID3", b"TAG"):  # tags written for MP3 players
        return ""
    file.seek(place)
    while block := file.read(1 << 20):  # recorders fill their last block of the card with zeros
        if block.strip(b"\0"):
            return f"{end - place} bytes that are no chunk"
    return ""
