"""How a file becomes the waveform of a clip: options of a data set's `audio:` entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from asdflow.foundation.errors import ConfigError

LEVELS_DBFS = {"rms": -26.0, "peak": -1.0}
"""Level that each kind of normalization aims at where `level_dbfs` is not given."""

FIXED_S = 10.0
"""Length of `first10` and `pad10`, seconds."""


@dataclass(frozen=True)
class AudioOptions:
    """Channel, offset, level and length of every clip of a data set.

    The defaults change nothing but channels and rate: all channels averaged, the recorded level, the whole
    clip. Length rules are those of published work: `first10` as in frozen-BEATs studies, `pad10` as in GenRep
    (arXiv 2409.05035), `tile_max` as in the local-density work (arXiv 2509.10951).
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    channel: Annotated[
        Literal["mix"] | Annotated[int, Field(ge=0)] | None,
        Field(
            description="mix: the mean of all channels; or the number of one channel, from 0. Default: mix, "
            "but channel 0, the near microphone, for DCASE 2026."
        ),
    ] = None
    remove_dc: Annotated[bool, Field(description="Subtract the clip's mean.")] = False
    level: Annotated[
        Literal["none", "rms", "peak"],
        Field(
            description="Level normalization of each clip: none keeps the recorded level, rms and peak scale "
            "the clip to `level_dbfs`. A silent clip stays silent. Nothing is limited afterwards."
        ),
    ] = "none"
    level_dbfs: Annotated[
        float | None,
        Field(
            ge=-80.0,
            le=0.0,
            description="Level to reach, dB relative to full scale 1. Default: -26 for rms, -1 for peak.",
        ),
    ] = None
    length: Annotated[
        Literal["native", "first10", "pad10", "tile_max"],
        Field(
            description="native: as long as the clip is; first10: at most its first 10 s; pad10: cut or "
            "zero-padded to 10 s; tile_max: repeated up to the longest clip of the data set."
        ),
    ] = "native"
    longest_s: Annotated[
        float | None,
        Field(
            gt=0.0,
            le=86400.0,
            description="Length that tile_max fills, seconds. Default: the longest clip of the data set.",
        ),
    ] = None

    max_samples: Annotated[
        int,
        Field(
            ge=1,
            description="Longest clip that is read, in samples of the file or of the encoder, whichever are "
            "more: a wrong rate in a header must not fill the memory. Half a GB; one hour at 16 kHz.",
        ),
    ] = 60_000_000

    def __post_init__(self) -> None:
        if self.level_dbfs is not None and self.level == "none":
            raise ConfigError(
                "audio.level_dbfs",
                f"is {self.level_dbfs:g}, but audio.level is none",
                "Set level: rms or level: peak, or leave level_dbfs out.",
            )
        if self.longest_s is not None and self.length != "tile_max":
            raise ConfigError(
                "audio.longest_s",
                f"is {self.longest_s:g}, but audio.length is {self.length}",
                "Set length: tile_max, or leave longest_s out.",
            )

    @property
    def target_dbfs(self) -> float | None:
        """Level to reach, or None for `level: none`."""
        if self.level == "none":
            return None
        return LEVELS_DBFS[self.level] if self.level_dbfs is None else self.level_dbfs

    @property
    def needs_longest(self) -> bool:
        """Whether the longest clip of the data set must be known (`longest_s` of asdflow.stages.usable)."""
        return self.length == "tile_max" and self.longest_s is None
