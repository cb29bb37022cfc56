"""Normalizations that relate the distance to a reference to that reference's density."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.foundation.errors import ConfigError
from asdflow.normalizations._base import ReferenceNormalization
from asdflow.references.density import MEAN, DecayingMean, Density, Nearest, decaying_count, looked_up
from asdflow.references.density_references import DenseReferences
from asdflow.references.references import References

Duplicates = Annotated[
    Literal["distinct", "guard"],
    Field(
        description="Exact copies in the bank: 'distinct' takes each set of copies for one reference, "
        "'guard' takes them all and keeps densities at 1e-12 or more."
    ),
]
HeldOut = Annotated[
    Literal["held_out", "full"],
    Field(
        description="Densities behind a self-score: 'held_out' without the clip that is left out, "
        "'full' with it (every ratio of k = 1 is then 1 or more)."
    ),
]
Neighbours = Annotated[
    int | None,
    Field(ge=1, description="Nearest other references averaged. Give k or r; neither means k = 1."),
]
Decay = Annotated[
    float | None,
    Field(
        ge=0.0,
        le=1.0,
        description="Weight of a neighbour relative to the one before it: 0 the nearest, 1 the mean of all.",
    ),
]


class DensityNormalization(ReferenceNormalization):
    """Changes the distance to a reference by the reference's density.

    A member has the fields `duplicates` and `self_density` and supplies `density`, and `divides` where it
    does not always do so.
    """

    duplicates: Duplicates
    self_density: HeldOut

    @property
    def divides(self) -> bool:
        """Distances are divided by the density; otherwise it is taken off."""
        return True

    def apply(self, distances: np.ndarray, density: np.ndarray) -> np.ndarray:
        """Changed distances; `density` broadcasts against them."""
        return distances / density if self.divides else distances - density

    def affine(self, density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(factor, offset): `apply` gives the distances times the one, less the other."""
        if self.divides:
            return 1 / density, np.zeros_like(density)
        return np.ones_like(density), density

    @abstractmethod
    def density(self, references: References, metric: str, bands: int) -> Density:
        """Density of every reference."""

    def count(self, references: References) -> int:
        """Neighbours of each reference that the density looks at."""
        return 1

    def change(self, references: References, metric: str, bands: int) -> References:
        """References at changed distances."""
        if self.duplicates == "distinct":
            references = references.distinct(metric, bands, looked_up(self.count(references), references))
        return DenseReferences(references, self, self.density(references, metric, bands))


class WeightedDensity(DensityNormalization):
    """A density of the `k` nearest others, or of all others with weights r^(rank - 1)."""

    k: Neighbours
    r: Decay

    def __post_init__(self) -> None:
        """Not both of k and r; k = 1 where neither is given."""
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
        where = f"normalization {self.name}"
        if self.k is not None:
            return Nearest(MEAN, self.k, where, "k").of(references, metric, bands)
        count = self.count(references)
        return Nearest(DecayingMean(self.r), count, where, "r").of(references, metric, bands)

    def count(self, references: References) -> int:
        """k, or as many as have any weight."""
        return self.k if self.k is not None else max(1, decaying_count(self.r, references.size))
