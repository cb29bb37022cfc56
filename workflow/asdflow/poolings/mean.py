"""Mean over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asdflow.poolings import register
from asdflow.poolings._base import Bands, Pooling


@register("mean")
@dataclass(frozen=True)
class Mean(Pooling):
    """Mean of the frames.

    v = (1/T) sum_t x_t. Degenerate input: one frame, or frames that are all alike, return that frame.
    """

    bands: Bands = "keep"

    def pool(self, frames: np.ndarray) -> np.ndarray:
        """Mean over time."""
        return frames.mean(axis=1)
