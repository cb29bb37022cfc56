"""What normalizations on the bank share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asdflow.backends._base import require_both_domains
from asdflow.references.references import References


def domain_rows(references: References, where: str, domain: int) -> np.ndarray:
    """Numbers of the references of a domain. Raises ConfigError unless both domains are there."""
    require_both_domains(where, references.domain)
    return np.flatnonzero(references.domain == domain)


def squares(references: References, rows: np.ndarray) -> np.ndarray:
    """(rows, R) squared distances of these references to all, in their space, averaged over bands."""
    bands = references.among(rows)
    return sum(references.space.squares(band) for band in bands) / len(bands)


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
