"""Local densities: how far it is from a reference to its own neighbours.

The word density is the field's; it is a mean distance, large where references are sparse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from asdflow.errors import ConfigError, DataError
from asdflow.references import NOBODY, Neighbours, References

#: (..., count) ascending distances and the band they are of (None: the first axis is all bands) to densities.
Reduce = Callable[[np.ndarray, int | None], np.ndarray]


class Density:
    """Density of every reference, with all references and with those that a clip takes away left out.

    Attributes
    ----------
    full : (bands, R) float64
    """

    def __init__(self, full: np.ndarray, without: Callable[[], np.ndarray]) -> None:
        self.full, self._without = full, without
        self._known: np.ndarray | None = None

    def without(self) -> np.ndarray:
        """(bands, N, R): row i is the density when clip i is left out; NaN where no neighbour remains."""
        if self._known is None:
            self._known = self._without()
        return self._known


@dataclass(frozen=True)
class Nearest:
    """A density that is a function of the distances to the nearest other references.

    Attributes
    ----------
    reduce : callable
        (..., count) ascending distances, infinite where there is no neighbour, to (...) densities, NaN where
        there is none at all. Its second argument is the band, None where the first axis is all bands.
    count : int
        Neighbours that `reduce` looks at.
    where, parameter : str
        What to blame when there are too few references.
    drop : callable, optional
        From (..., at least count) ascending distances and count to (..., count): what `reduce` gives when one
        entry of the list after the other is left out. Found by `reduce` itself if absent.
    """

    reduce: Reduce
    count: int
    where: str
    parameter: str
    drop: Callable[[np.ndarray, int], np.ndarray] | None = None

    def of(self, references: References, metric: str, bands: int) -> Density:
        """Density of every reference. Raises ConfigError when there are fewer than `count` others."""
        self.require(references)
        # A left-out clip may take several references away; lists are longer by what that is likely to cost.
        extra = 1 if one_each(references.owners) else 32
        lists = references.neighbours(metric, bands, self.count + extra)
        full = self.reduce(lists.distance[..., : self.count], None)

        def without() -> np.ndarray:
            if one_each(references.owners):
                return self._without_one(references, lists, full)
            return self._without_several(references, lists, full, metric, bands)

        return Density(full, without)

    def require(self, references: References) -> None:
        """Raise ConfigError unless every reference has `count` others."""
        available = references.size - 1
        if available == 0 and references.bank.size > 1:
            raise DataError(
                "bank",
                f"of {references.bank.size} clips leaves one distinct reference, which has no neighbour",
                "Check the recordings for copies: a density needs clips that differ.",
            )
        if self.count > available:
            raise ConfigError(
                f"{self.where}, parameter {self.parameter}",
                f"is {self.count}, but a reference has only {available} others that differ, "
                f"in a bank of {references.bank.size} clips",
                f"Set {self.parameter} to {available} or less, or give a larger bank."
                if available
                else "Give a larger bank.",
            )

    def _without_one(self, references: References, lists: Neighbours, full: np.ndarray) -> np.ndarray:
        """Every clip takes one reference away at most: of each list one entry is dropped at a time."""
        result = np.repeat(full[:, None, :], references.bank.size, axis=1)
        place = np.arange(references.size)
        known = self.drop(lists.distance, self.count) if self.drop else None
        for p in range(self.count):
            if known is not None:
                value = known[..., p]
            else:
                value = self.reduce(np.delete(lists.distance, p, axis=-1)[..., : self.count], None)
            for band in range(len(full)):
                owner = references.owners[lists.index[band, :, p], 0]
                some = owner != NOBODY
                result[band, owner[some], place[some]] = value[band, some]
        return result

    def _without_several(
        self, references: References, lists: Neighbours, full: np.ndarray, metric: str, bands: int
    ) -> np.ndarray:
        """A clip takes several references away: every list that names one of them is filtered."""
        result = np.repeat(full[:, None, :], references.bank.size, axis=1)
        owners = references.owners
        complete = lists.index.shape[-1] == references.size - 1
        for band in range(bands):
            of_list = owners[lists.index[band]]  # (R, length, P)
            for p in range(self.count):
                for clip in of_list[:, p].T:  # (R,) the clip whose absence is looked at
                    rows = np.flatnonzero((clip != NOBODY) & ~(owners == clip[:, None]).any(axis=1))
                    gone = (of_list[rows] == clip[rows, None, None]).any(axis=-1)
                    left = np.sort(np.where(gone, np.inf, lists.distance[band, rows]), axis=-1)
                    short = np.isinf(left[:, : self.count]).any(axis=-1) & ~complete
                    for at in np.flatnonzero(short):
                        left[at] = self._from_scratch(
                            references, metric, bands, band, rows[at], clip[rows[at]], left
                        )
                    result[band, clip[rows], rows] = self.reduce(left[:, : self.count], band)
        return result

    def _from_scratch(
        self,
        references: References,
        metric: str,
        bands: int,
        band: int,
        row: int,
        clip: int,
        like: np.ndarray,
    ) -> np.ndarray:
        """Ascending distances from one reference to the others, less those that a clip takes away."""
        distances = references.between(metric, bands, slice(row, row + 1))[band, 0].copy()
        distances[(references.owners == clip).any(axis=1)] = np.inf
        distances[row] = np.inf
        padded = np.full(like.shape[-1], np.inf)
        ascending = np.sort(distances)[: len(padded)]
        padded[: len(ascending)] = ascending
        return padded


def of_parts(references: References, parts: Sequence[tuple[np.ndarray, Density]], bands: int) -> Density:
    """One density from those of parts of the references, each given with the numbers of its references."""
    full = np.empty((bands, references.size))
    for rows, density in parts:
        full[:, rows] = density.full

    def without() -> np.ndarray:
        result = np.empty((bands, references.bank.size, references.size))
        for rows, density in parts:
            result[:, :, rows] = density.without()
        return result

    return Density(full, without)


def one_each(owners: np.ndarray) -> bool:
    """No clip takes more than one reference away, and no reference has two owners."""
    some = owners[owners != NOBODY]
    return owners.shape[1] == 1 and len(np.unique(some)) == len(some)


def mean_of_finite(ascending: np.ndarray, band: int | None = None) -> np.ndarray:
    """Mean of the finite values of the last axis, which is sorted; NaN where there is none."""
    finite = np.isfinite(ascending)
    number = finite.sum(axis=-1)
    total = np.where(finite, ascending, 0.0).sum(axis=-1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def decaying_mean(r: float) -> Reduce:
    """Mean with weights r^(rank - 1), r in [0, 1]; 0 is the nearest alone."""

    def reduce(ascending: np.ndarray, band: int | None = None) -> np.ndarray:
        weight = np.power(r, np.arange(ascending.shape[-1]), dtype=np.float64)
        finite = np.isfinite(ascending)
        total = (np.where(finite, ascending, 0.0) * weight).sum(axis=-1)
        share = (finite * weight).sum(axis=-1)
        return np.where(share > 0, total / np.where(share > 0, share, 1.0), np.nan)

    return reduce


def drop_each(r: float) -> Callable[[np.ndarray, int], np.ndarray]:
    """`Nearest.drop` of the mean with weights r^(rank - 1); r = 1 is the plain mean.

    Entries before the one that is left out keep their weights, entries behind it move up by one rank, so two
    running sums serve all of them: O(count) a list instead of O(count^2).
    """

    def drop(ascending: np.ndarray, count: int) -> np.ndarray:
        part = ascending[..., : count + 1]
        finite = np.isfinite(part)
        weight = np.power(r, np.arange(part.shape[-1]), dtype=np.float64)
        moved = np.concatenate([[0.0], weight[:-1]])

        def without(terms: np.ndarray) -> np.ndarray:
            sums = np.zeros(part.shape)
            np.cumsum((terms * weight)[..., :-1], axis=-1, out=sums[..., 1:])
            sums[..., :-1] += np.cumsum((terms * moved)[..., :0:-1], axis=-1)[..., ::-1]
            return sums[..., :count]

        total, share = without(np.where(finite, part, 0.0)), without(finite.astype(np.float64))
        return np.where(share > 0, total / np.where(share > 0, share, 1.0), np.nan)

    return drop


def decaying_count(r: float, size: int) -> int:
    """Neighbours whose weight is above 2^-60 of the first one's: the rest is below a double's resolution."""
    if r == 1.0:
        return size - 1
    needed = 1 if r == 0.0 else int(np.ceil(np.log(2.0**-60) / np.log(r)))
    return min(max(1, needed), size - 1)
