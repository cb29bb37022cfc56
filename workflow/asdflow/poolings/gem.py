"""Generalized mean over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asdflow.poolings import register
from asdflow.poolings._base import Bands, Pooling
from asdflow.poolings._power import Clamp, Power, power_mean


@register("gem")
@dataclass(frozen=True)
class GeM(Pooling):
    """Generalized mean.

    v = ((1/T) sum_t max(x_t, clamp)^p)^(1/p). p = 1 is the mean of the positive part, large p the maximum.

    Source: Radenović, Tolias & Chum, TPAMI 41 (2019); values below 0 are set to 0 as in arXiv 2603.04605,
    whose best p lies between 3 and 10; retrieval code clamps at 1e-6.

    Degenerate input: a dimension that is never above `clamp` gives `clamp`; frames that are all alike return
    the frame, set to `clamp` where it is below. Any p is computed without overflow.
    """

    p: Power = 3.0
    clamp: Clamp = 0.0
    bands: Bands = "keep"

    def pool(self, frames: np.ndarray) -> np.ndarray:
        """Power mean over time, every frame with the same weight."""
        weight = np.full((*frames.shape[:2], 1, 1), 1.0 / frames.shape[1])
        return power_mean(frames, weight, self.p, self.clamp)
