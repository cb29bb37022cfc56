"""The length of FLAC, Ogg and MP3, whose samples lie in packets: the last packet tells where they end."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

_RATES = {  # kbit/s of MP3's layer III by index: MPEG 1, and MPEG 2 and 2.5
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_BLOCKS = {1: 192, **{i: 576 << (i - 2) for i in range(2, 6)}, **{i: 256 << (i - 8) for i in range(8, 16)}}


def is_stream(head: bytes) -> bool:
    """Whether a file that begins so is FLAC, Ogg or MP3."""
    return head[:4] in (b"fLaC", b"OggS") or head[:3] == b"ID3" or _mp3_frame(head[:4]) is not None


def length_fault(path: Path, file: BinaryIO, head: bytes) -> str:
    """What is wrong with the announced length, as a phrase, or ""."""
    end = os.fstat(file.fileno()).st_size
    if head[:4] == b"fLaC":
        return _flac(file, end)
    if head[:4] == b"OggS":
        return _ogg(file, end)
    return _mp3(file, end)


def ogg_without_end(path: Path) -> bool:
    """Whether an Ogg file lacks its end-of-stream page: it was cut, yet all that it holds can be decoded."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 65536 - 282))  # the largest page, and its header
        tail = file.read()
    page = tail.rfind(b"OggS")
    return page < 0 or len(tail) <= page + 5 or not tail[page + 5] & 4


def _flac(file: BinaryIO, end: int) -> str:
    """STREAMINFO's total against the last frame. libsndfile stops at the total whatever follows.

    A frame's header has a check of 8 bits, too few to trust; a frame that lies beyond the total must also
    pass its check of 16 bits.
    """
    file.seek(8)
    info = file.read(34)
    if len(info) < 34:
        return ""
    block, largest = struct.unpack(">H", info[2:4])[0], int.from_bytes(info[7:10], "big")
    total = int.from_bytes(info[13:18], "big") & ((1 << 36) - 1)
    if total == 0:
        return ""  # libsndfile says so itself
    size = min(end, (largest or 1 << 16) + 128 + 4096)  # the last frame, a tag of 128 bytes, some room
    file.seek(end - size)
    tail = file.read(size)
    if tail[-128:-125] == b"TAG":
        tail = tail[:-128]
    place = len(tail)
    while (place := tail.rfind(b"\xff", 0, place)) >= 0:
        found = _flac_frame(tail[place : place + 16], block)
        if found is None:
            continue
        if found == total:
            return ""
        if found > total and _crc(tail[place:], 16, 0x8005) == 0:
            return (
                f"is longer than its header says: {total} samples announced, the last frame ends at {found}"
            )
    return ""


def _flac_frame(head: bytes, fixed: int) -> int | None:
    """Sample after a frame, from its header; None where this is no header."""
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    code, rate = head[2] >> 4, head[2] & 15
    length = _leading_ones(head[4])
    place = 4 + length + {6: 1, 7: 2}.get(code, 0) + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if length is None or code == 0 or rate == 15 or len(head) <= place:
        return None
    if _crc(head[:place], 8, 0x07) != head[place]:
        return None
    number = head[4] & (0x7F if length == 1 else 0x7F >> length)
    for byte in head[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    first = 4 + length
    size = _BLOCKS.get(code) or 1 + int.from_bytes(head[first : first + (1 if code == 6 else 2)], "big")
    return (number if head[1] & 1 else number * fixed) + size


def _leading_ones(byte: int) -> int:
    """Bytes of a number in the manner of UTF-8, 1 to 7."""
    ones = 8 - (byte ^ 0xFF).bit_length()
    return max(1, min(ones, 7))


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    """Cyclic redundancy check, most significant bit first, starting from 0; 0 over data and its check."""
    value, top, mask = 0, 1 << (bits - 1), (1 << bits) - 1
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
    return value


def _ogg(file: BinaryIO, end: int) -> str:
    """A second stream behind the first: libsndfile reads the first alone."""
    place, begun = 0, False
    while place + 27 <= end:
        file.seek(place)
        head = file.read(27)
        if head[:4] != b"OggS":
            return ""  # the decoder finds its way, or says that it cannot
        if not head[5] & 2:
            begun = True
        elif begun:
            return f"holds a second stream from byte {place} on, which would be left out"
        sizes = file.read(head[26])
        place += 27 + len(sizes) + sum(sizes)
    return ""


def _mp3(file: BinaryIO, end: int) -> str:
    """Frames counted against those that the Xing header announces, which the decoder believes."""
    file.seek(0)
    data = file.read(10)
    place = 0
    if data[:3] == b"ID3" and len(data) == 10:
        size = 0
        for byte in data[6:]:
            size = size << 7 | byte & 0x7F
        place = 10 + size + (10 if data[5] & 16 else 0)
    frames, announced = 0, None
    while place + 4 <= end:
        file.seek(place)
        data = file.read(64)
        size = _mp3_frame(data[:4])
        if size is None:
            break
        found = max(data.find(b"Xing"), data.find(b"Info"))
        if frames == 0 and announced is None and 0 < found < len(data) - 12 and data[found + 7] & 1:
            announced = int.from_bytes(data[found + 8 : found + 12], "big")
        else:
            frames += 1
        place += size
    if announced is None or frames == announced:
        return ""
    if frames > announced:
        return f"is longer than its header says: {announced} frames are announced, {frames} are there"
    return f"is cut short: its header announces {announced} frames, {frames} are there"


def _mp3_frame(head: bytes) -> int | None:
    """Bytes of a frame of layer III, from its header; None where this is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, rate, hertz = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or rate in (0, 15) or hertz == 3:
        return None
    per_frame = 144 if version == 3 else 72
    kbit = _RATES[3 if version == 3 else 2][rate]
    return per_frame * kbit * 1000 // _HZ[version][hertz] + (head[2] >> 1 & 1)
