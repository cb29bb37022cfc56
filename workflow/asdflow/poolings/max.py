"""Maximum over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asdflow.poolings import register
from asdflow.poolings._base import Bands, Pooling


@register("max")
@dataclass(frozen=True)
class Max(Pooling):
    """Largest value of each dimension over time.

    v = max_t x_t. Degenerate input: one frame, or frames that are all alike, return that frame.
    """

    bands: Bands = "keep"

    def pool(self, frames: np.ndarray) -> np.ndarray:
        """Maximum over time."""
        return frames.max(axis=1)
