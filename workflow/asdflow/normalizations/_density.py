"""Local densities of references: how far it is from a reference to its own neighbours.

The word density is the field's; it is a mean distance, large where references are sparse.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.bank import Queries
from asdflow.errors import ConfigError, DataError
from asdflow.normalizations._base import ReferenceNormalization
from asdflow.references import Neighbours, References, nearest

#: Smallest density that "guard" lets through (the value common in the field).
GUARD = 1e-12

Neighbourhood = Annotated[int, Field(ge=1, description="Nearest other references averaged.")]
Duplicates = Annotated[
    Literal["distinct", "guard"],
    Field(
        description="Exact copies in the bank: 'distinct' counts each set of copies as one reference, "
        "'guard' counts them all and keeps the density at 1e-12 or more."
    ),
]
HeldOut = Annotated[
    Literal["held_out", "full"],
    Field(
        description="Densities behind a self-score: 'held_out' without the clip that is left out, "
        "'full' with it (every ratio of k = 1 is then 1 or more)."
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

    def change(self, references: References) -> References:
        """References at changed distances."""
        return DenseReferences(references, self)


class Density:
    """Density of every reference, with all references and with those of one clip left out.

    Attributes
    ----------
    full : (bands, R) float64
    """

    def __init__(self, full: np.ndarray, without: Callable[[], np.ndarray]) -> None:
        self.full, self._without = full, without

    def without(self) -> np.ndarray:
        """(bands, N, R): row i is the density when clip i is left out; NaN where no neighbour remains."""
        return self._without()


class DenseReferences(References):
    """References at distances that a density has changed."""

    def __init__(self, inner: References, rule: DensityNormalization) -> None:
        super().__init__(inner.bank)
        self.inner, self.rule = inner, rule
        self.domain, self.size = inner.domain, inner.size
        self._density: dict[tuple[str, int], Density] = {}

    def density(self, metric: str, bands: int) -> Density:
        """Densities of a metric, computed once."""
        if (metric, bands) not in self._density:
            self._density[metric, bands] = self.rule.density(self.inner, metric, bands)
        return self._density[metric, bands]

    def to(self, queries: Queries, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, M, R) changed distances."""
        full = self.density(metric, bands).full
        return self.rule.apply(self.inner.to(queries, metric, bands), full[:, None, :])

    def left_out(self, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, N, R) changed distances, infinite to references made of the clip."""
        density = self.density(metric, bands)
        plain = self.inner.left_out(metric, bands)
        if self.rule.self_density == "full":
            return self.rule.apply(plain, density.full[:, None, :])
        without = density.without()
        usable = np.isfinite(plain) & np.isfinite(without)
        if not usable.any(axis=-1).all():
            raise ConfigError(
                f"normalization {self.rule.name}",
                f"leaves no reference with a neighbour when one of {self.bank.size} clips is left out",
                "Give a bank of three clips or more.",
            )
        return np.where(
            usable, self.rule.apply(np.where(usable, plain, 1.0), np.where(usable, without, 1.0)), np.inf
        )


def density_of(
    references: References,
    metric: str,
    bands: int,
    rule: DensityNormalization,
    reduce: Callable[[np.ndarray], np.ndarray],
    count: int,
    name: str,
) -> Density:
    """Density from the `count` nearest other references.

    Parameters
    ----------
    reduce : callable
        (..., count) ascending distances, infinite where there is no neighbour, to (...) densities. NaN where
        there is none at all.
    count : int
        Neighbours that `reduce` looks at.
    name : str
        Parameter to blame when there are too few references.
    """
    lists, single = _lists(references, metric, bands, count + 1, rule)
    available = int(np.isfinite(lists.distance).sum(axis=-1).min()) if lists.distance.shape[-1] else 0
    if available < count:
        _refuse(references, rule, name, count, available)
    full = _guarded(reduce(lists.distance[..., :count]), rule)

    def without() -> np.ndarray:
        result = np.repeat(full[:, None, :], references.bank.size, axis=1)
        rows = _rows_of_clips(references)
        place = np.arange(references.size)
        for p in range(count):
            rest = np.delete(lists.distance, p, axis=-1)[..., :count]
            value = _guarded(reduce(rest), rule)
            for band in range(bands):
                index = lists.index[band, :, p]
                fall = single[index] if single is not None else np.ones(len(index), dtype=bool)
                result[band, rows[index[fall]], place[fall]] = value[band, fall]
        return result

    return Density(full, without)


def _rows_of_clips(references: References) -> np.ndarray:
    return np.arange(references.size)


def _lists(
    references: References, metric: str, bands: int, count: int, rule: DensityNormalization
) -> tuple[Neighbours, np.ndarray | None]:
    """Nearest other references, and which references have no copy (None: all)."""
    between = references.between(metric, bands)
    copies = (between == 0).sum() > bands * references.size if rule.duplicates == "distinct" else False
    if not copies:
        return references.neighbours(metric, bands, count), None
    group = (between == 0).all(axis=0).argmax(axis=0)  # the first copy of each stands for all
    first = group == np.arange(references.size)
    distinct = np.where(first, between, np.inf)
    distinct[:, np.arange(references.size), group] = np.inf
    return nearest(distinct, min(count, references.size)), np.bincount(group, minlength=len(group)) == 1


def _guarded(density: np.ndarray, rule: DensityNormalization) -> np.ndarray:
    return np.maximum(density, GUARD) if rule.duplicates == "guard" else density


def _refuse(
    references: References, rule: DensityNormalization, name: str, count: int, available: int
) -> None:
    if available == 0 and references.size > 1:
        raise DataError(
            "bank",
            f"holds {references.size} references that are all copies of one another",
            "Check the recordings: a density needs clips that differ.",
        )
    distinct = " distinct" if rule.duplicates == "distinct" else ""
    raise ConfigError(
        f"normalization {rule.name}, parameter {name}",
        f"is {count}, but a reference has only {available} other{distinct} references "
        f"in a bank of {references.size}",
        f"Set {name} to {available} or less, or give a larger bank." if available else "Give a larger bank.",
    )


def mean_of_finite(ascending: np.ndarray) -> np.ndarray:
    """Mean of the finite values of the last axis, which is sorted; NaN where there is none."""
    finite = np.isfinite(ascending)
    number = finite.sum(axis=-1)
    total = np.where(finite, ascending, 0.0).sum(axis=-1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
