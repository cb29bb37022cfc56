"""From a row of the clips table to the waveform that an encoder hears."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from asdflow.audio import read_clip
from asdflow.datasets.base import Recordings


def loader(
    dataset: Recordings, name: str, base: str | Path, longest_s: float | None = None
) -> Callable[[Mapping[str, Any], int], np.ndarray]:
    """Function `load(row, rate) -> (samples,) float32` with the audio and noise options of a data set.

    Parameters
    ----------
    dataset : Recordings
    name : str
        Its entry in the configuration.
    base : path
        Working directory, which relative paths refer to.
    longest_s : float, optional
        Longest clip of the data set, seconds, for `length: tile_max`.
    """
    root = dataset.root(name, Path(base))
    noise = None if dataset.noise is None else dataset.noise.at(base)

    def load(row: Mapping[str, Any], rate: int) -> np.ndarray:
        return read_clip(
            root / row["path"],
            rate,
            dataset.audio,
            start_s=row["start_s"],
            duration_s=row["duration_s"],
            noise=noise,
            clip_id=row["clip"],
            longest_s=longest_s,
        )

    return load
