"""Weighted power mean over time."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

Power = Annotated[float, Field(gt=0.0, description="Exponent: 1 the mean, large the maximum.")]
Clamp = Annotated[float, Field(ge=0.0, description="Smaller values are set to this before the power.")]


def power_mean(frames: np.ndarray, weight: np.ndarray, p: float, clamp: float) -> np.ndarray:
    """(sum_t w_t max(x_t, clamp)^p)^(1/p).

    Parameters
    ----------
    frames : (batch, time, bands, channels) float64
    weight : broadcasts against frames, sums to 1 over time

    Returns
    -------
    (batch, bands, channels) float64. The largest value is taken out of the power, so nothing overflows.
    """
    positive = np.maximum(frames, clamp)
    largest = positive.max(axis=1, keepdims=True)
    share = positive / np.where(largest > 0, largest, 1.0)
    mean = (weight * share**p).sum(axis=1)
    return largest[:, 0] * mean ** (1 / p)
