"""Weights of frames by how far they deviate from the clip's mean."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

Gamma = Annotated[
    float, Field(ge=0.0, description="How strongly deviating frames are preferred; 0 is the mean.")
]
Weights = Annotated[
    Literal["joint", "band"],
    Field(description="One weight a frame, from all its values, or one a frame and frequency band."),
]


def deviation_weights(frames: np.ndarray, gamma: float, weights: str) -> np.ndarray:
    """w_t proportional to (1 + d_t / max d)^gamma, d_t = |x_t - mean|, summing to 1 over time.

    Parameters
    ----------
    frames : (batch, time, bands, channels) float64

    Returns
    -------
    (batch, time, 1 or bands, 1) float64. Frames that are all alike have equal weights.
    """
    axes = (2, 3) if weights == "joint" else (3,)
    away = np.sqrt(np.square(frames - frames.mean(axis=1, keepdims=True)).sum(axis=axes, keepdims=True))
    largest = away.max(axis=1, keepdims=True)
    share = away / np.where(largest > 0, largest, 1.0)
    # Relative to the largest weight, so that no gamma overflows.
    weight = ((1 + share) / 2) ** gamma
    return weight / weight.sum(axis=1, keepdims=True)
