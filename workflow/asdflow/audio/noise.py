"""Noise mixed into clips at a stated signal-to-noise ratio, the same for a clip in every run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import ConfigDict, Field

from asdflow.audio.files import SUFFIXES, AudioFile, open_audio
from asdflow.audio.resampling import resample
from asdflow.foundation.errors import ConfigError, DataError
from asdflow.foundation.names import hidden, require_path
from asdflow.foundation.seeds import generator


@dataclass(frozen=True)
class NoiseOptions:
    """Additive noise: y = x + g n, with g such that 20 log10(rms(x) / rms(g n)) = snr_db.

    Both RMS values are about the mean and over the whole clip, at the encoder's rate, before level
    normalization and padding: a clip's SNR is exact whatever its level. The noise depends on `seed`, `color`
    and the clip's identity alone, so that studies at several SNRs hear the same noise, louder or softer.

    Pink noise is Gaussian noise whose spectrum is shaped to a power of 1/f, from 1 / duration to half the
    sample rate; white noise is Gaussian. Recorded noise is an excerpt from a random place of a random file,
    resampled, repeated where the file is shorter than the clip. A silent clip has no SNR: that is an error.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    snr_db: Annotated[
        float, Field(ge=-100.0, le=100.0, description="Signal-to-noise ratio of each clip, dB.")
    ]
    color: Annotated[
        Literal["white", "pink", "recorded"],
        Field(description="white: equal power per Hz; pink: equal power per octave; recorded: from files."),
    ] = "pink"
    recordings: Annotated[
        str | None,
        Field(description="Noise file, or folder of sound files, for color: recorded."),
    ] = None
    seed: Annotated[int, Field(ge=0, description="Another seed, another realisation.")] = 0

    def __post_init__(self) -> None:
        if self.recordings is not None:
            require_path(self.recordings, "noise.recordings")
        if (self.color == "recorded") != (self.recordings is not None):
            raise ConfigError(
                "noise.recordings",
                f"is {self.recordings!r}, but noise.color is {self.color}",
                "Give both color: recorded and recordings: a file or folder, or neither.",
            )

    def at(self, base: str | Path) -> NoiseOptions:
        """The same noise, its recordings found from the working directory `base`."""
        if self.recordings is None:
            return self
        return NoiseOptions(self.snr_db, self.color, str(Path(base) / self.recordings), self.seed)

    def files(self, base: str | Path = ".") -> list[str]:
        """Sorted noise recordings, as `recordings` is written; empty for computed noise.

        Raises DataError when there are none.
        """
        if not self.recordings:
            return []
        where = Path(base) / self.recordings
        found = [Path(self.recordings) / path.relative_to(where) for path in _noise_files(where)]
        for path in found:
            require_path(path, "noise.recordings")
        return [str(path) for path in found]

    def mix(self, waveform: np.ndarray, rate: int, clip_id: str, path: str | Path = "") -> np.ndarray:
        """Waveform with its noise.

        Parameters
        ----------
        waveform : (samples,) float64
        rate : int
            Hz.
        clip_id : str
            Identity of the clip within its data set.
        path : path, optional
            File of the clip, for the message of an error.

        Returns
        -------
        (samples,) float64

        Raises
        ------
        DataError
            The clip or the noise is silent, or a noise file cannot be read.
        """
        signal = float(np.std(waveform))
        if signal == 0:
            raise DataError(
                path or clip_id,
                f"is silent, so noise at {self.snr_db:g} dB SNR has no level",
                "Leave the clip out, or run the data set without noise.",
            )
        noise = self._noise(len(waveform), rate, generator("noise", self.color, self.seed, clip_id))
        level = float(np.std(noise))
        return waveform + noise * (signal / level * 10.0 ** (-self.snr_db / 20.0))

    def _noise(self, samples: int, rate: int, random: np.random.Generator) -> np.ndarray:
        if self.color == "recorded":
            return _excerpt(Path(self.recordings), samples, rate, random)
        if samples < 2:
            return random.choice([-1.0, 1.0], size=samples)
        white = random.standard_normal(samples)
        return white if self.color == "white" else pink(white)


def pink(white: np.ndarray) -> np.ndarray:
    """White noise (samples,) shaped to 1/f power: each bin of its spectrum over the root of its frequency.

    The mean (0 Hz) becomes 0. Computed in float64.
    """
    spectrum = np.fft.rfft(white)
    spectrum[0] = 0.0
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    return np.fft.irfft(spectrum, n=len(white))


def _noise_files(where: Path) -> list[Path]:
    if where.is_dir():
        found = sorted(
            path
            for path in where.rglob("*")
            if path.suffix.lower() in SUFFIXES and not any(map(hidden, path.relative_to(where).parts))
        )
        if not found:
            raise DataError(
                where, f"holds no noise recordings ({', '.join(SUFFIXES)})", "Correct noise.recordings."
            )
        return found
    if not where.is_file():
        raise DataError(where, "does not exist", "Correct noise.recordings, or provide the file.")
    return [where]


def _excerpt(where: Path, samples: int, rate: int, random: np.random.Generator) -> np.ndarray:
    """Excerpt of `samples` at `rate` from a random file and place, mean of its channels."""
    files = _noise_files(where)
    path = files[int(random.integers(len(files)))]
    with open_audio(path) as file:
        needed = -(-samples * file.rate // rate)
        start = int(random.integers(max(1, file.frames - needed + 1)))
        block = file.read_mono(start, min(needed, file.frames))
        noise = np.resize(resample(block, file.rate, rate, path), samples)
    _require_sound(noise, file, start)
    return noise


def _require_sound(noise: np.ndarray, file: AudioFile, start: int) -> None:
    if np.std(noise) == 0:
        raise DataError(
            file.path,
            f"is silent from {start / file.rate:.3f} s on, so it cannot be mixed at an SNR",
            "Take it out of noise.recordings, or cut its silence off.",
        )
