"""Densities that are weighted means of sorted distances: the k nearest, or all with geometric weights."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from asdflow.errors import ConfigError
from asdflow.normalizations._density import Density, DensityNormalization, density_of, mean_of_finite
from asdflow.references import References

Neighbours = Annotated[
    int | None,
    Field(ge=1, description="Nearest other references averaged. Give k or r; neither means k = 1."),
]
Decay = Annotated[
    float | None,
    Field(
        ge=0.0,
        le=1.0,
        description="Weight ratio of one neighbour to the one before it: 0 the nearest, 1 the mean of all.",
    ),
]
#: Weights below this share of the first are below the resolution of a double.
NEGLIGIBLE = 2.0**-60


class WeightedDensity(DensityNormalization):
    """A density of `k` neighbours, or of all with weights r^(rank - 1)."""

    k: Neighbours
    r: Decay

    def __post_init__(self) -> None:
        """Exactly one of k and r; k = 1 where neither is given."""
        if self.k is not None and self.r is not None:
            raise ConfigError(
                f"normalization {self.name}",
                f"has both k = {self.k} and r = {self.r}",
                "Give k (nearest neighbours) or r (geometric weights), and leave the other out.",
            )
        if self.k is None and self.r is None:
            object.__setattr__(self, "k", 1)

    def density(self, references: References, metric: str, bands: int) -> Density:
        """Density of every reference."""
        if self.k is not None:
            return density_of(references, metric, bands, self, mean_of_finite, self.k, "k")
        return density_of(references, metric, bands, self, self._decayed, self._count(references.size), "r")

    def _count(self, size: int) -> int:
        """Neighbours whose weight is not negligible."""
        if self.r == 1.0:
            return size - 1
        needed = 1 if self.r == 0.0 else int(np.ceil(np.log(NEGLIGIBLE) / np.log(self.r)))
        return min(max(1, needed), size - 1)

    def _decayed(self, ascending: np.ndarray) -> np.ndarray:
        """Mean with weights r^(rank - 1)."""
        weight = np.power(self.r, np.arange(ascending.shape[-1]), dtype=np.float64)
        finite = np.isfinite(ascending)
        total = (np.where(finite, ascending, 0.0) * weight).sum(axis=-1)
        share = (finite * weight).sum(axis=-1)
        return np.where(share > 0, total / np.where(share > 0, share, 1.0), np.nan)
