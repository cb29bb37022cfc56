"""From a row of the clips table to the waveform that an encoder hears."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from asdflow.audio import AudioOptions, read_clip
from asdflow.audio.noise import NoiseOptions


def loader(
    root: Path, audio: AudioOptions, noise: NoiseOptions | None = None, longest_s: float | None = None
) -> Callable[[Mapping[str, Any], int], np.ndarray]:
    """Function `load(row, rate) -> (samples,) float32`.

    Parameters
    ----------
    root : path
        Folder that the paths of the rows are relative to.
    audio : AudioOptions
    noise : optional
        What is mixed in.
    longest_s : float, optional
        Longest clip of the data set, seconds, for `length: tile_max`.
    """

    def load(row: Mapping[str, Any], rate: int) -> np.ndarray:
        return read_clip(
            root / row["path"],
            rate,
            audio,
            start_s=row["start_s"],
            duration_s=row["duration_s"],
            noise=noise,
            clip_id=row["clip"],
            longest_s=longest_s,
        )

    return load
