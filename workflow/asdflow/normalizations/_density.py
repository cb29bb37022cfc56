"""Normalizations that relate the distance to a reference to that reference's density."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.bank import Queries
from asdflow.density import Density, Nearest, decaying_count, decaying_mean, drop_each, mean_of_finite
from asdflow.errors import ConfigError
from asdflow.normalizations._base import ReferenceNormalization
from asdflow.references import References

#: Smallest density that "guard" lets through (the value common in the field).
GUARD = 1e-12

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

    A member has the fields `duplicates` and `self_density` and supplies `apply` and `density`.
    """

    duplicates: Duplicates
    self_density: HeldOut

    @abstractmethod
    def apply(self, distances: np.ndarray, density: np.ndarray) -> np.ndarray:
        """Changed distances; `density` broadcasts against them."""

    @abstractmethod
    def density(self, references: References, metric: str, bands: int) -> Density:
        """Density of every reference."""

    def change(self, references: References, metric: str, bands: int) -> References:
        """References at changed distances."""
        if self.duplicates == "distinct":
            references = references.distinct(metric, bands)
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
            return Nearest(mean_of_finite, self.k, where, "k", drop_each(1.0)).of(references, metric, bands)
        count = max(1, decaying_count(self.r, references.size))
        rule = Nearest(decaying_mean(self.r), count, where, "r", drop_each(self.r))
        return rule.of(references, metric, bands)


class DenseReferences(References):
    """References at distances that their densities have changed."""

    def __init__(self, inner: References, rule: DensityNormalization, density: Density) -> None:
        self.bank, self.size, self.domain, self.owners = inner.bank, inner.size, inner.domain, inner.owners
        self.inner, self.rule, self.density = inner, rule, density

    @property
    def vectors(self) -> np.ndarray:
        """(R, D) float."""
        return self.inner.vectors

    def to(self, queries: Queries, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, M, R) changed distances."""
        return self._changed(self.inner.to(queries, metric, bands), self.density.full[:, None, :])

    def left_out(self, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, N, R) changed distances, infinite to references that the clip takes away."""
        plain = self.inner.left_out(metric, bands)
        if self.rule.self_density == "full":
            return self._changed(plain, self.density.full[:, None, :])
        without = self.density.without()
        usable = np.isfinite(plain) & np.isfinite(without)
        if not usable.any(axis=-1).all():
            raise ConfigError(
                f"normalization {self.rule.name}",
                f"leaves no reference with a neighbour when one of {self.bank.size} clips is left out",
                "Give a bank of three clips that differ, or more.",
            )
        changed = self._changed(np.where(usable, plain, 1.0), np.where(usable, without, 1.0))
        return np.where(usable, changed, np.inf)

    def from_bank(self, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, N, R) changed distances from the bank's clips, each of which is among the references."""
        return self._changed(self.inner.from_bank(metric, bands), self.density.full[:, None, :])

    def between(self, metric: str, bands: int = 1, rows: slice = slice(None)) -> np.ndarray:
        """A changed distance belongs to a clip and a reference; between references there is none."""
        raise NotImplementedError("references of changed density have no distances among themselves")

    def _changed(self, distances: np.ndarray, density: np.ndarray) -> np.ndarray:
        if self.rule.duplicates == "guard":
            density = np.maximum(density, GUARD)
        return self.rule.apply(distances, density)
