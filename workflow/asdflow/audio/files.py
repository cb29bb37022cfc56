"""Audio files, opened with suspicion: as many samples as the header says, and all of them numbers."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asdflow.audio.containers import KNOWN, frames_fault, length_fault
from asdflow.audio.streams import ogg_without_end
from asdflow.foundation.errors import DataError, out_of_memory
from asdflow.foundation.names import same_letters

SUFFIXES = (".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3")
SUFFIXES += (".aif", ".aiff", ".aifc", ".au", ".snd", ".caf")
"""File names that a folder is searched for: of the containers whose length can be checked."""

OTHER_SOUND = (".m4a", ".mp4", ".aac", ".wma", ".amr", ".ac3", ".mka", ".webm", ".ape", ".wv", ".mp2", ".mpc")
OTHER_SOUND += (
    ".dsf",
    ".dff",
    ".tta",
    ".3gp",
    ".raw",
    ".pcm",
    ".sph",
    ".nist",
    ".voc",
    ".sd2",
    ".spx",
    ".alac",
)
"""File names of sound that is not read: a folder that holds some is refused, so that none is left out."""

BLOCK = 65536
"""Frames read at a time, fewer beyond eight channels: half a megabyte a channel, however long the file."""

_CUT_OGG = ("ogg stream without its end: the file may be cut short",)
_UNKNOWN = 1 << 62  # what libsndfile gives for a stream whose header does not tell it
_PERMISSIONS = "Correct its permissions, or the disk it lies on."
_AGAIN = "Copy or download the file again, or leave the clip out."
_REWRITE = "Rewrite it (ffmpeg -i <old> <new>), copy it again, or leave it out."
_RECOVER = "Rewrite it so that the rest is kept (ffmpeg -ignore_length 1 -i <old> <new>), or leave it out."


class _Position:
    """An open file and the frame that comes next.

    Some codings (GSM 6.10, G.721, NMS ADPCM) cannot seek: their frames are read in order, and from the
    beginning again for an earlier one.
    """

    def __init__(self, path: Path, handle: Any) -> None:
        self.path, self.handle, self.frame = path, handle, 0

    def move(self, start: int) -> None:
        """Make frame `start` the next."""
        import soundfile

        if self.frame == start:
            return
        if self.handle.seekable():
            self.handle.seek(start)
            self.frame = start
            return
        if start < self.frame:
            self.handle.close()
            self.handle, self.frame = soundfile.SoundFile(str(self.path)), 0
        while self.frame < start and len(self.read(min(BLOCK, start - self.frame))):
            pass

    def read(self, count: int) -> np.ndarray:
        """The next (count, channels) frames as float64, fewer at the end."""
        block = self.handle.read(count, dtype="float64", always_2d=True)
        self.frame += len(block)
        return block

    def close(self) -> None:
        """Close the file that is open now."""
        self.handle.close()


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
    subtype : str
        Coding of the samples as libsndfile calls it, e.g. "PCM_16".
    warnings : tuple of str
        What is odd about the file as a whole.
    """

    path: Path
    rate: int
    channels: int
    frames: int
    subtype: str
    warnings: tuple[str, ...]
    position: _Position

    def blocks(self, start: int, count: int) -> Iterator[np.ndarray]:
        """Frames [start, start + count) as (frames, channels) float64 arrays of at most `BLOCK` frames.

        Integer samples are scaled to [-1, 1); float samples are as they are. Raises DataError where the file
        cannot be decoded, ends early, or holds NaN or infinity.
        """
        import soundfile

        done, most = 0, BLOCK * 8 // max(8, self.channels)
        try:
            self.position.move(start)
            while done < count:
                block = self.position.read(min(most, count - done))
                if not len(block):
                    break
                self._require_numbers(block, start + done)
                done += len(block)
                yield block
        except soundfile.LibsndfileError as error:
            if out_of_memory(error):
                raise
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

    def read_mono(self, start: int, count: int, channel: str | int | None = None) -> np.ndarray:
        """The same frames as (count,) float64: one channel, or the mean of all (None or "mix").

        Memory is that of one channel, whatever their number. Raises as `blocks`, and DataError when the file
        has no such channel.
        """
        mix = channel in (None, "mix")
        if not mix and channel >= self.channels:
            raise DataError(
                self.path,
                f"has no channel {channel}: it has {self.channels}, numbered from 0",
                "Set audio.channel to one it has, or to mix.",
            )
        result, done = np.empty(count), 0
        for block in self.blocks(start, count):
            one = block.mean(axis=1) if mix and self.channels > 1 else block[:, 0 if mix else channel]
            result[done : done + len(one)] = one
            done += len(one)
        return result

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
    whose header tells another length than its bytes (libsndfile alone would read on without a word).
    """
    import soundfile

    path = Path(path)
    _require_bytes(path)
    fault = length_fault(path)
    try:
        handle = soundfile.SoundFile(str(path))
    except soundfile.LibsndfileError as error:
        if out_of_memory(error):
            raise
        if fault:
            raise DataError(path, fault, _REWRITE) from None
        raise DataError(
            path,
            f"is not audio that can be decoded ({_reason(error)})",
            "Convert it to wav, flac or ogg, or leave it out.",
        ) from None
    with handle:
        if handle.format not in KNOWN or handle.subtype.startswith("DWVW"):
            raise DataError(
                path,
                f"is {handle.format_info} with {handle.subtype_info}, whose length cannot be checked",
                "Convert it to wav or flac (ffmpeg -i <old> <new>), or leave it out.",
            )
        frames = handle.frames
        if fault := fault or frames_fault(path, handle.subtype, handle.channels, frames):
            raise DataError(path, fault, _RECOVER if fault.startswith("is longer") else _REWRITE)
        if frames >= _UNKNOWN:
            raise DataError(path, "does not tell its length", _REWRITE)
        if frames == 0:
            raise DataError(path, "holds no samples", _AGAIN)
        position = _Position(path, handle)
        yield AudioFile(
            path,
            handle.samplerate,
            handle.channels,
            frames,
            handle.subtype,
            _CUT_OGG if handle.format == "OGG" and ogg_without_end(path) else (),
            position,
        )
        position.close()


def _require_bytes(path: Path) -> None:
    """Raise DataError unless there is a plain file with something in it. A pipe would be read for ever."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise DataError(path, *_absent(path)) from None
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})", _PERMISSIONS) from None
    if stat.S_ISDIR(status.st_mode):
        raise DataError(path, "is a folder, not an audio file", "Name a file.")
    if not stat.S_ISREG(status.st_mode):
        kind = "a pipe" if stat.S_ISFIFO(status.st_mode) else "a device or socket"
        raise DataError(path, f"is {kind}, not a file", "Record it to a file first, or leave it out.")
    try:
        with open(path, "rb") as file:
            first = file.read(1)
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})", _PERMISSIONS) from None
    if not first:
        raise DataError(path, "is empty (0 bytes)", _AGAIN)


def _absent(path: Path) -> tuple[str, str]:
    """What to say of a file that is not there: a dangling link, or a name that only looks the same."""
    remedy = "Restore the file, or take it out of the list of clips."
    if path.is_symlink():
        return f"is a link to {os.readlink(path)}, which does not exist", remedy
    place = next((each for each in (path, *path.parents) if each.parent.is_dir()), path)
    beside = [] if place.name.isascii() else os.listdir(place.parent)
    alike = [name for name in beside if same_letters(name) == same_letters(place.name) and name != place.name]
    if not alike:
        return "does not exist", remedy
    form = "decomposed (NFD)" if alike[0] != same_letters(alike[0]) else "composed (NFC)"
    return (
        f"does not exist: {place.name!r} looks the same as {alike[0]!r}, which is there, but that is written "
        f"with {form} letters",
        "Write the name in the list as the disk has it (copy it from there), or rename the file.",
    )


def _reason(error: Exception) -> str:
    """What libsndfile says, without the path that soundfile puts before it."""
    return str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
