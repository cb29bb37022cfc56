"""Several statistics over time, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.foundation.errors import ConfigError
from asdflow.poolings import register
from asdflow.poolings._base import Bands, Pooling

STATISTICS = {
    "mean": lambda frames: frames.mean(axis=1),
    "sd": lambda frames: frames.std(axis=1),
    "max": lambda frames: frames.max(axis=1),
    "min": lambda frames: frames.min(axis=1),
}


@register("statistics")
@dataclass(frozen=True)
class Statistics(Pooling):
    """Statistics of each dimension over time: by default mean and standard deviation (divisor T).

    The vector stays band-major: all statistics of the first band, then of the second. Entry
    (band * number of parts + part) * channels + channel.

    Source: statistics pooling of x-vectors (Snyder et al., ICASSP 2018). Mean and maximum are what AdaBEAM
    needs.

    Degenerate input: one frame, or frames that are all alike, have deviation 0.
    """

    parts: Annotated[
        tuple[Literal["mean", "sd", "max", "min"], ...],
        Field(strict=False, min_length=1, description="Statistics kept, in this order."),
    ] = ("mean", "sd")
    bands: Bands = "keep"

    def __post_init__(self) -> None:
        """No statistic twice."""
        if len(set(self.parts)) < len(self.parts):
            raise ConfigError(
                "pooling statistics, parameter parts", f"is {list(self.parts)}", "Name each statistic once."
            )

    def pool(self, frames: np.ndarray) -> np.ndarray:
        """(batch, bands, parts x channels)."""
        return np.concatenate([STATISTICS[part](frames) for part in self.parts], axis=2)
