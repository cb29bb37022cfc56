"""Normalizations that relate the distance to a reference to that reference's density."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.foundation.errors import ConfigError
from asdflow.normalizations._base import ReferenceNormalization
from asdflow.references.density import (
    MEAN,
    DecayingMean,
    Density,
    NeighbourDensity,
    decaying_count,
    looked_up,
)
from asdflow.references.references import References, Scaling
from asdflow.references.scaled import ScaledReferences

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
    """Changes the distance to a reference y by its density: d(x, y) / rho(y), or d(x, y) - rho(y).

    The backend looks for the nearest after that; with knn, s(x) = min over y of d(x, y) / rho(y).

    A member has the fields `duplicates` and `self_density` and supplies `density`, and `divides` where it
    does not always do so.
    """

    duplicates: Duplicates
    self_density: HeldOut

    @property
    def divides(self) -> bool:
        """Distances are divided by the density; otherwise it is taken off."""
        return True

    def scaling(self, density: np.ndarray) -> Scaling:
        """Divisor and offset of a distance: d / rho or d - rho."""
        if self.divides:
            return density, np.zeros_like(density)
        return np.ones_like(density), density

    @abstractmethod
    def density(self, references: References) -> Density:
        """Density of every reference."""

    def count(self, references: References) -> int:
        """Neighbours of each reference that the density looks at."""
        return 1

    def change(self, references: References) -> ScaledReferences:
        """References at changed distances."""
        if self.duplicates == "distinct":
            references = references.distinct(looked_up(self.count(references), references))
        return ScaledReferences(references, self, self.density(references))


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

    def density(self, references: References) -> Density:
        """Density of every reference."""
        mean, parameter = (MEAN, "k") if self.k is not None else (DecayingMean(self.r), "r")
        where = f"normalization {self.name}"
        return NeighbourDensity(references, mean, self.count(references), where, parameter)

    def count(self, references: References) -> int:
        """k, or as many as have any weight."""
        return self.k if self.k is not None else max(1, decaying_count(self.r, references.size))
