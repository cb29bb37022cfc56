"""Relative deviation pooling with a generalized mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asdflow.poolings import register
from asdflow.poolings._base import Bands, Pooling
from asdflow.poolings._deviation import Gamma, Weights, deviation_weights
from asdflow.poolings._power import Clamp, Power, power_mean


@register("rdp_gem")
@dataclass(frozen=True)
class RDPGeM(Pooling):
    """Generalized mean of the frames, weighted by their deviation from the plain mean.

    v = (sum_t w_t max(x_t, clamp)^p)^(1/p), with the weights of `rdp`, which see the frames unclamped.

    Source: arXiv 2603.04605 (hybrid, p = 3, best gamma between 1 and 20).

    Degenerate input: as gem; frames that are all alike return the frame, set to `clamp` where it is below.
    """

    gamma: Gamma = 9.0
    p: Power = 3.0
    weights: Weights = "joint"
    clamp: Clamp = 0.0
    bands: Bands = "keep"

    def pool(self, frames: np.ndarray) -> np.ndarray:
        """Weighted power mean over time."""
        weight = deviation_weights(frames, self.gamma, self.weights)
        return power_mean(frames, weight, self.p, self.clamp)
