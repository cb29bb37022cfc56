"""From a row of the clips table to the waveform that an encoder hears."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from asdflow.audio import AudioOptions, read_clip
from asdflow.audio.noise import NoiseOptions
from asdflow.foundation.errors import DataError
from asdflow.foundation.validation import validated


def loader(
    root: Path, audio: AudioOptions, noise: NoiseOptions | None = None, longest_s: float | None = None
) -> Callable[[Mapping[str, Any], int], np.ndarray]:
    """Function `load(row, rate) -> (samples,) float32`.

    It raises DataError for a recording whose bytes are not those that the row was made of, and as `read_clip`
    does.

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

    seen: dict[str, str] = {}

    def load(row: Mapping[str, Any], rate: int) -> np.ndarray:
        path = root / row["path"]
        if row["path"] not in seen:
            seen[row["path"]] = _sha256(path)
        if seen[row["path"]] != row["sha256"]:
            raise DataError(
                path,
                "is not the recording that the clips table was made of: its bytes have changed since",
                "Run the same command again; the table is then made anew.",
            )
        return read_clip(
            path,
            rate,
            audio,
            start_s=row["start_s"],
            duration_s=row["duration_s"],
            noise=noise,
            clip_id=row["clip"],
            longest_s=longest_s,
        )

    return load


def sound(spec: Mapping[str, Any], base: Path) -> tuple[AudioOptions, NoiseOptions | None]:
    """Options `audio` and `noise` of a data set, from its entry in normal form."""
    audio = validated(AudioOptions, "audio", spec.get("audio") or {})
    noise = spec.get("noise")
    return audio, None if noise is None else validated(NoiseOptions, "noise", noise).at(base)


def _sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(path, f"cannot be read: {error.strerror}", "Put it back, or leave it out.") from None
