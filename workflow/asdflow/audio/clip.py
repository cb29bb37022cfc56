"""The waveform of one clip. The order of the steps, and what each of them sees:

1. read the clip's own samples (no neighbours, so that a test segment never leaks into a training segment);
2. cut to the first 10 s (`first10`, `pad10`);
3. one channel, or the mean of all (float64);
4. resample to the encoder's rate;
5. subtract the mean (`remove_dc`);
6. mix noise in at its SNR;
7. scale to the level asked for;
8. pad with silence (`pad10`) or repeat (`tile_max`), so that padding changes neither SNR nor level.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asdflow.audio.files import open_audio
from asdflow.audio.options import FIXED_S, AudioOptions
from asdflow.audio.resampling import resample, resampled_samples
from asdflow.foundation.errors import ConfigError, DataError

TOO_LONG = "Cut it into clips (start_s, duration_s), correct its rate, or raise audio.max_samples."

if TYPE_CHECKING:
    from asdflow.audio.noise import NoiseOptions


def read_clip(
    path: str | Path,
    rate: int,
    options: AudioOptions | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
    noise: NoiseOptions | None = None,
    clip_id: str | None = None,
    longest_s: float | None = None,
) -> np.ndarray:
    """Mono waveform of a clip.

    Parameters
    ----------
    path : path
        Audio file.
    rate : int
        Rate of the result, Hz.
    options : AudioOptions, optional
        Channel, offset, level and length. Default: the mean of all channels, the recorded level and length.
    start_s, duration_s : float, optional
        Segment of the file, seconds; to the end where no duration is given.
    noise : NoiseOptions, optional
        Noise to mix in.
    clip_id : str
        Identity of the clip within its data set, which decides its noise. Required with `noise`.
    longest_s : float, optional
        Longest clip of the data set, seconds, for `length: tile_max`; the option of that name goes before it.

    Returns
    -------
    (samples,) float32
        Full scale is 1. Level normalization and noise may take single samples beyond it.

    Raises
    ------
    DataError
        The file is missing, damaged, empty or not audio; the segment or channel does not exist; a sample is
        NaN or infinite; the clip has more samples than `options.max_samples`; noise is asked for and the clip
        is silent.
    ConfigError
        `tile_max` without a longest duration, or noise without a clip id.
    """
    options = options or AudioOptions()
    target = _filled_samples(rate, options, longest_s)
    with open_audio(path) as file:
        start, count = file.segment(start_s, duration_s)
        count = min(count, _kept_samples(file.rate, options))
        if fault := too_long(count, file.rate, rate, options, longest_s):
            raise DataError(path, fault, TOO_LONG)
        waveform = file.read_mono(start, count, options.channel)
        waveform = resample(waveform, file.rate, rate, path)
    if options.remove_dc:
        waveform = waveform - waveform.mean()
    if noise is not None:
        if clip_id is None:
            raise ConfigError("clip_id", "is missing though noise is asked for", "Pass the clip's identity.")
        waveform = noise.mix(waveform, rate, clip_id, path)
    waveform = scaled(waveform, options)
    return fitted(waveform, target, options).astype(np.float32)


def waveform_samples(
    samples: int, file_rate: int, rate: int, options: AudioOptions, longest_s: float | None = None
) -> int:
    """Length of `read_clip`'s result for a clip of `samples` at `file_rate`, without opening it."""
    target = _filled_samples(rate, options, longest_s)
    kept = resampled_samples(min(samples, _kept_samples(file_rate, options)), file_rate, rate)
    return kept if target is None else target


def too_long(samples: int, file_rate: int, rate: int, options: AudioOptions, longest_s: float | None) -> str:
    """What is wrong with a clip of `samples` at `file_rate` that would need too much memory, or ""."""
    kept = min(samples, _kept_samples(file_rate, options))
    filled = _filled_samples(rate, options, longest_s) or 0
    most = max(kept, resampled_samples(kept, file_rate, rate), filled)
    if most <= options.max_samples:
        return ""
    return (
        f"is {kept / file_rate:.0f} s long at {file_rate} Hz: {most} samples there or at {rate} Hz, above "
        f"audio.max_samples, {options.max_samples}"
    )


def scaled(waveform: np.ndarray, options: AudioOptions) -> np.ndarray:
    """Waveform at the level of the options; silence stays silence."""
    if options.target_dbfs is None:
        return waveform
    level = np.sqrt(np.mean(waveform**2)) if options.level == "rms" else np.abs(waveform).max()
    return waveform if level == 0 else waveform * (10.0 ** (options.target_dbfs / 20.0) / level)


def fitted(waveform: np.ndarray, target: int | None, options: AudioOptions) -> np.ndarray:
    """Waveform of `target` samples, padded or repeated as the options say; as it is for None."""
    if target is None or len(waveform) == target:
        return waveform
    if options.length == "pad10":
        return np.pad(waveform[:target], (0, max(0, target - len(waveform))))
    return np.resize(waveform, target)  # repeats, and cuts


def _kept_samples(file_rate: int, options: AudioOptions) -> int | float:
    return round(FIXED_S * file_rate) if options.length in ("first10", "pad10") else float("inf")


def _filled_samples(rate: int, options: AudioOptions, longest_s: float | None) -> int | None:
    if options.length == "pad10":
        return round(FIXED_S * rate)
    if options.length != "tile_max":
        return None
    longest = options.longest_s if options.longest_s is not None else longest_s
    if longest is None:
        raise ConfigError(
            "audio.length",
            "is tile_max, but the longest duration of the data set was not given",
            "Set audio.longest_s, or pass longest_s (asdflow.clips.measured.longest_s finds it).",
        )
    return round(longest * rate)
