"""Whether an encoder can take every clip of a machine."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from asdflow.audio.clip import TOO_LONG, too_long, waveform_samples
from asdflow.audio.options import AudioOptions
from asdflow.clips.rows import SILENT
from asdflow.foundation.errors import together


def longest_s(tables: Iterable[pa.Table]) -> float | None:
    """Longest clip of several clips tables, seconds: what `length: tile_max` fills; None without tables."""
    longest = [max(table.column("duration_s").to_pylist(), default=0.0) for table in tables]
    return max(longest, default=None)


def require_usable(
    clips: pa.Table,
    audio: AudioOptions,
    rate: int,
    min_samples: int,
    encoder: str,
    longest_s: float | None = None,
    noise: bool = False,
) -> None:
    """Raise one DataError that lists every clip an encoder could not take, before anything is decoded.

    Parameters
    ----------
    clips : table of schema "clips"
    audio : AudioOptions
        Of the data set.
    rate, min_samples : int
        Of the encoder: Hz, and the shortest waveform that gives a frame.
    encoder : str
        Its name, for the message.
    longest_s : float, optional
        Longest clip of the data set, for `length: tile_max`.
    noise : bool
        Whether noise will be mixed in, which a silent clip has no level for.
    """
    problems = []
    columns = ("clip", "path", "samples", "sample_rate", "channels", "warnings")
    for clip, path, samples, file_rate, channels, warnings in zip(
        *(clips.column(each).to_pylist() for each in columns), strict=True
    ):
        if fault := too_long(samples, file_rate, rate, audio, longest_s):
            problems.append(f"{clip}: {fault}. {TOO_LONG}")
            continue
        found = waveform_samples(samples, file_rate, rate, audio, longest_s)
        if found < min_samples:
            problems.append(
                f"{clip}: {found / rate:.3f} s long, but {encoder} needs {min_samples / rate:.3f} s or more. "
                f"Leave it out, or set audio.length: {_longer(clips, min_samples / rate)}"
            )
        if audio.channel not in (None, "mix") and audio.channel >= channels:
            problems.append(
                f"{path}: has no channel {audio.channel}, it has {channels}, numbered from 0. "
                "Set audio.channel to one it has, or to mix"
            )
        if noise and SILENT in warnings:
            problems.append(
                f"{path}: is silent, so noise has no level at an SNR. Leave it out, or run without noise"
            )
    if problems:
        what = f"cannot take {len(problems)} of {clips.num_rows} clips"
        raise together(encoder, what, problems, "Correct all of them, then run the same command again.")


def _longer(clips: pa.Table, needed_s: float) -> str:
    """Options that make short clips long enough."""
    own = longest_s([clips]) >= needed_s
    tiled = "tile_max (repeated up to the longest clip)" if own else f"tile_max with longest_s: {needed_s:g}"
    return f"{tiled} or pad10 (filled with silence)"
