"""Audio files, opened with suspicion: as many samples as the header says, and all of them numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asdflow.foundation.errors import DataError

SUFFIXES = (".wav", ".flac", ".ogg")
"""File names that a folder is searched for."""

BLOCK = 65536
"""Frames read at a time: half a megabyte a channel, whatever the length of the recording."""

_UNKNOWN = 1 << 62  # what libsndfile gives for a stream whose header does not tell it
_AGAIN = "Copy or download the file again, or leave the clip out."
_REWRITE = "Rewrite it (ffmpeg -i <old> <new>), copy it again, or leave it out."


@dataclass(frozen=True)
class AudioFile:
    """An open audio file.

    Parameters
    ----------
    path : Path
    rate : int
        Samples a second, Hz.
    channels : int
    frames : int
        Samples of each channel.
    full_scale : float
        Smallest magnitude that counts as full scale: the largest code of integer samples, 1 otherwise.
    warnings : tuple of str
        What is odd about the file as a whole.
    """

    path: Path
    rate: int
    channels: int
    frames: int
    full_scale: float
    warnings: tuple[str, ...]
    handle: Any

    def blocks(self, start: int, count: int) -> Iterator[np.ndarray]:
        """Frames [start, start + count) as (frames, channels) float64 arrays of at most `BLOCK` frames.

        Integer samples are scaled to [-1, 1); float samples are as they are. Raises DataError where the file
        cannot be decoded, ends early, or holds NaN or infinity.
        """
        import soundfile

        done = 0
        try:
            if self.handle.tell() != start:
                self.handle.seek(start)
            while done < count:
                block = self.handle.read(min(BLOCK, count - done), dtype="float64", always_2d=True)
                if not len(block):
                    break
                self._require_numbers(block, start + done)
                done += len(block)
                yield block
        except soundfile.LibsndfileError as error:
            raise DataError(
                self.path,
                f"is damaged or cut short: it cannot be decoded after {(start + done) / self.rate:.3f} s, "
                f"though its header announces {self.frames / self.rate:.3f} s ({_reason(error)})",
                _AGAIN,
            ) from None
        if done < count:
            raise DataError(
                self.path,
                f"is cut short: its header announces {self.frames} samples, it ends after {start + done}",
                _AGAIN,
            )

    def read(self, start: int, count: int) -> np.ndarray:
        """Frames [start, start + count) as one (count, channels) float64 array. Raises as `blocks`."""
        return np.concatenate(list(self.blocks(start, count)) or [np.empty((0, self.channels))])

    def segment(self, start_s: float, duration_s: float | None) -> tuple[int, int]:
        """First frame and number of frames of a clip. Raises DataError when it does not lie in the file.

        An end that overshoots by one sample, as rounding to a rate can make it, is cut.
        """
        start = round(start_s * self.rate)
        count = self.frames - start if duration_s is None else round(duration_s * self.rate)
        end = start + count
        if start < 0 or count < 1 or start >= self.frames or end > self.frames + 1:
            until = "the end" if duration_s is None else f"{start_s + duration_s:g} s"
            raise DataError(
                self.path,
                f"has no segment from {start_s:g} s to {until}: it is {self.frames / self.rate:.4f} s long",
                "Correct start_s and duration_s.",
            )
        return start, min(count, self.frames - start)

    def _require_numbers(self, block: np.ndarray, offset: int) -> None:
        finite = np.isfinite(block)
        if finite.all():
            return
        row, channel = np.argwhere(~finite)[0]
        raise DataError(
            self.path,
            f"has a sample that is not a number: {block[row, channel]} in channel {channel} "
            f"at {(offset + row) / self.rate:.4f} s",
            "Export the recording again, or leave the clip out.",
        )


@contextmanager
def open_audio(path: str | Path) -> Iterator[AudioFile]:
    """Open an audio file that libsndfile reads (wav, flac, ogg, ...), after checking its header.

    Raises DataError, naming file and remedy, when it is missing, unreadable, empty, not audio, or a WAV file
    shorter than its header says (libsndfile alone would read on without a word).
    """
    import soundfile

    path = Path(path)
    _require_bytes(path)
    announced = _wav_shortfall(path)
    try:
        handle = soundfile.SoundFile(str(path))
    except soundfile.LibsndfileError as error:
        raise DataError(
            path,
            f"is not audio that can be decoded ({_reason(error)})",
            "Convert it to wav, flac or ogg, or leave it out.",
        ) from None
    with handle:
        if announced:
            raise DataError(path, announced, _REWRITE)
        frames = handle.frames
        if frames >= _UNKNOWN:
            raise DataError(path, "does not tell its length", _REWRITE)
        if frames == 0:
            raise DataError(path, "holds no samples", _AGAIN)
        yield AudioFile(
            path,
            handle.samplerate,
            handle.channels,
            frames,
            _full_scale(handle.subtype),
            _ogg_warnings(path) if handle.format == "OGG" else (),
            handle,
        )


def _require_bytes(path: Path) -> None:
    try:
        with open(path, "rb") as file:
            first = file.read(1)
    except FileNotFoundError:
        raise DataError(
            path, "does not exist", "Restore the file, or take it out of the list of clips."
        ) from None
    except IsADirectoryError:
        raise DataError(path, "is a folder, not an audio file", "Name a file.") from None
    except OSError as error:
        raise DataError(
            path, f"cannot be read ({error.strerror})", "Correct its permissions, or the disk it lies on."
        ) from None
    if not first:
        raise DataError(path, "is empty (0 bytes)", _AGAIN)


def _wav_shortfall(path: Path) -> str:
    """What is wrong with the length in a WAV header, or "": compares the data chunk with the bytes there are.

    Sizes of 0xFFFFFFFF are how streams say "unknown" and are accepted; RF64 keeps its size in `ds64`.
    """
    with open(path, "rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
            return ""
        total, large = path.stat().st_size, None
        while len(chunk := file.read(8)) == 8:
            name, size = chunk[:4], struct.unpack("<I", chunk[4:])[0]
            body = file.tell()
            if name == b"ds64":
                large = struct.unpack("<Q", file.read(16)[8:])[0]
            if name == b"data":
                present = total - body
                if size == 0xFFFFFFFF:
                    if large is None:
                        return ""
                    size = large
                if size > present:
                    return f"is cut short: its header announces {size} bytes of samples, {present} are there"
                if size == 0 and present:
                    return f"was not finished: its header announces no samples, {present} bytes follow"
                return ""
            file.seek(body + size + size % 2)
    return "is cut short: it ends before its samples begin"


def _ogg_warnings(path: Path) -> tuple[str, ...]:
    """An Ogg file that does not end with an end-of-stream page was cut, yet all it holds can be decoded."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 65536 - 282))  # the largest page, and its header
        tail = file.read()
    page = tail.rfind(b"OggS")
    if page < 0 or len(tail) <= page + 5 or not tail[page + 5] & 4:
        return ("ogg stream without its end: the file may be cut short",)
    return ()


def _full_scale(subtype: str) -> float:
    bits = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}.get(subtype)
    return 1.0 if bits is None else 1.0 - 2.0 ** (1 - bits)


def _reason(error: Exception) -> str:
    """What libsndfile says, without the path that soundfile puts before it."""
    return str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
