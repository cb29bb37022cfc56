"""Squared distances as k-means asks for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Whole:
    """Squared distances between points, all of them, as k-means asks for them.

    Attributes
    ----------
    square : (n, n) float64
    """

    square: np.ndarray

    @property
    def size(self) -> int:
        """n."""
        return len(self.square)

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """(m, n) of these to all."""
        return self.square[numbers]

    def sums(self, numbers: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(n, C) sums of (m, C) weights times squared distances."""
        return self.square[numbers].T @ weights
