"""Relative deviation pooling over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asdflow.poolings import register
from asdflow.poolings._base import Bands, Pooling
from asdflow.poolings._deviation import Gamma, Weights, deviation_weights


@register("rdp")
@dataclass(frozen=True)
class RDP(Pooling):
    """Mean of the frames, weighted by their deviation from the plain mean.

    v = sum_t w_t x_t, w_t proportional to (1 + d_t / max d)^gamma, d_t = |x_t - mean|. gamma = 0 is the mean.
    `weights: joint` takes d_t over all bands and channels, `band` for each band by itself.

    Source: arXiv 2603.04605, whose best gamma lies between 1 and 20 (10 over all encoders).

    Degenerate input: one frame, or frames that are all alike, return that frame.
    """

    gamma: Gamma = 10.0
    weights: Weights = "joint"
    bands: Bands = "keep"

    def pool(self, frames: np.ndarray) -> np.ndarray:
        """Weighted mean over time."""
        weight = deviation_weights(frames, self.gamma, self.weights)
        return (weight * frames).sum(axis=1)
