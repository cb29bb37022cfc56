"""Local densities: how far it is from a reference to its own neighbours.

The word density is the field's; it is a mean distance, large where references are sparse.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from asdflow.foundation.errors import ConfigError, DataError
from asdflow.foundation.memory import Lean
from asdflow.geometry.neighbours import Neighbours, in_order, smallest
from asdflow.references.recipes import NOBODY
from asdflow.references.references import References

#: Distances of one batch of rows that are searched again.
SEARCHED = 2**19


class Reduce(Protocol):
    """Distances to the nearest other references to a density."""

    def full(self, ascending: np.ndarray, band: int | None = None) -> np.ndarray:
        """(..., count) ascending distances, infinite where there is no neighbour, to (...) densities.

        NaN where there is none at all. `band` is None where the first axis is all bands.
        """

    def dropped(self, ascending: np.ndarray, count: int) -> np.ndarray:
        """(bands, R, length) distances to the (bands, R, places) densities of `count` without each place."""


@dataclass(frozen=True)
class Changes:
    """Densities that differ when a clip is left out, in one band, in order of the clips.

    Attributes
    ----------
    clip, reference : (n,) int
    density : (n,) float64
        Of the reference when the clip is left out; NaN where no neighbour remains.
    """

    clip: np.ndarray
    reference: np.ndarray
    density: np.ndarray

    @classmethod
    def of(cls, clip: np.ndarray, reference: np.ndarray, density: np.ndarray) -> Changes:
        """Sorted by clip."""
        order = in_order(clip)
        return cls(clip[order], reference[order], density[order])


class Density(Lean, ABC):
    """Density of every reference, with all references and with those that a clip takes away left out.

    Attributes
    ----------
    full : (bands, R) float64
    """

    full: np.ndarray

    @cached_property
    def changes(self) -> list[Changes]:
        """For each band what differs from `full` when a clip is left out."""
        return self._changed()

    @abstractmethod
    def _changed(self) -> list[Changes]:
        """`changes`, computed anew."""


class NeighbourDensity(Density):
    """A density that is a function of the distances to the nearest other references.

    Parameters
    ----------
    references : References
    reduce : Reduce
    count : int
        Neighbours that `reduce` looks at.
    where, parameter : str
        What to blame when there are too few references.

    Raises
    ------
    ConfigError
        There are fewer than `count` other references.
    """

    def __init__(
        self, references: References, reduce: Reduce, count: int, where: str, parameter: str
    ) -> None:
        require_others(references, count, where, parameter)
        self.references, self.reduce, self.count = references, reduce, count
        self.full = reduce.full(self._lists.distance[..., :count])

    @property
    def _lists(self) -> Neighbours:
        return self.references.neighbours(looked_up(self.count, self.references))

    def _changed(self) -> list[Changes]:
        if one_each(self.references.owners):
            return self._without_one()
        return [self._without_several(band) for band in range(len(self.full))]

    def _without_one(self) -> list[Changes]:
        """Every clip takes one reference away at most: of each list one entry is dropped at a time."""
        values, result = self.reduce.dropped(self._lists.distance, self.count), []
        for index, value in zip(self._lists.index, values, strict=True):
            owner = self.references.owners[index[:, : self.count], 0]  # (R, count)
            reference, place = np.nonzero(owner != NOBODY)
            result.append(Changes.of(owner[reference, place], reference, value[reference, place]))
        return result

    def _without_several(self, band: int) -> Changes:
        """A clip takes several references away: every list that names one of them is filtered.

        A list is a little longer than needed. Where that is not enough, the whole row is searched again.
        """
        owners, lists = self.references.owners, self._lists
        index, near = lists.index[band], lists.distance[band]
        row, clip = _concerned(owners, index[:, : self.count])
        gone = (owners[index[row]] == clip[:, None, None]).any(axis=-1)
        left = np.sort(np.where(gone, np.inf, near[row]), axis=-1)[:, : self.count]
        if index.shape[-1] < self.references.size - 1:
            self._search(band, row, clip, np.flatnonzero(np.isinf(left).any(axis=-1)), left)
        return Changes.of(clip, row, self.reduce.full(left, band))

    def _search(
        self, band: int, row: np.ndarray, clip: np.ndarray, short: np.ndarray, left: np.ndarray
    ) -> None:
        """Fill the lists of `left` at `short`: references of `row` less those that `clip` takes away."""
        step = max(1, SEARCHED // self.references.size)
        for some in (short[begin : begin + step] for begin in range(0, len(short), step)):
            different, place = np.unique(row[some], return_inverse=True)
            distances = self.references.among(different)[band][place]
            distances[np.arange(len(some)), row[some]] = np.inf
            distances[(self.references.owners == clip[some, None, None]).any(axis=-1)] = np.inf
            found = smallest(distances, self.count)
            left[some, : found.shape[1]] = found


class DensityOfParts(Density):
    """Densities of parts of the references, each among its own.

    Parameters
    ----------
    parts : sequence of the numbers of references and their density, which together are all of them
    """

    def __init__(self, parts: Sequence[tuple[np.ndarray, Density]]) -> None:
        self.parts = tuple(parts)
        order = np.argsort(np.concatenate([rows for rows, _ in parts]))
        self.full = np.concatenate([density.full for _, density in parts], axis=1)[:, order]

    def _changed(self) -> list[Changes]:
        result = []
        for band in range(len(self.full)):
            of_band = [(rows, density.changes[band]) for rows, density in self.parts]
            clip = np.concatenate([part.clip for _, part in of_band])
            reference = np.concatenate([rows[part.reference] for rows, part in of_band])
            result.append(Changes.of(clip, reference, np.concatenate([part.density for _, part in of_band])))
        return result


def require_others(references: References, count: int, where: str, parameter: str) -> None:
    """Raise ConfigError unless every reference has `count` others."""
    available = references.size - 1
    if available == 0 and references.bank.size > 1:
        raise DataError(
            "bank",
            f"of {references.bank.size} clips leaves one distinct reference, which has no neighbour",
            "Check the recordings for copies: a density needs clips that differ.",
        )
    if count > available:
        raise ConfigError(
            f"{where}, parameter {parameter}",
            f"is {count}, but a reference has only {available} others that differ, "
            f"in a bank of {references.bank.size} clips",
            f"Set {parameter} to {available} or less, or give a larger bank."
            if available
            else "Give a larger bank.",
        )


def looked_up(count: int, references: References) -> int:
    """Neighbours to look up for a density of `count`: a left-out clip may take several of them away."""
    return count + (1 if one_each(references.owners) else 2)


def _concerned(owners: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a reference and a clip that takes one of its neighbours away, but not the reference itself."""
    of_list = owners[index].reshape(len(index), -1)
    row, place = np.nonzero(of_list != NOBODY)
    clips = int(owners.max()) + 1
    row, clip = np.divmod(np.unique(row * clips + of_list[row, place]), clips)
    kept = ~(owners[row] == clip[:, None]).any(axis=1)
    return row[kept], clip[kept]


def one_each(owners: np.ndarray) -> bool:
    """No clip takes more than one reference away, and no reference has two owners."""
    some = owners[owners != NOBODY]
    return owners.shape[1] == 1 and len(np.unique(some)) == len(some)


@dataclass(frozen=True)
class DecayingMean:
    """Mean with weights r^(rank - 1), r in [0, 1]; 0 is the nearest alone."""

    r: float

    def full(self, ascending: np.ndarray, band: int | None = None) -> np.ndarray:
        """Weighted mean of the finite values of the last axis; NaN where there is none."""
        weight = np.power(self.r, np.arange(ascending.shape[-1]), dtype=np.float64)
        finite = np.isfinite(ascending)
        total = (np.where(finite, ascending, 0.0) * weight).sum(axis=-1)
        share = (finite * weight).sum(axis=-1)
        return np.where(share > 0, total / np.where(share > 0, share, 1.0), np.nan)

    def dropped(self, ascending: np.ndarray, count: int) -> np.ndarray:
        """Without each of the first `count` entries in turn, in the time of all of them.

        What stands before the entry keeps its weight, what stands behind moves up by one rank: two running
        sums, and no difference of large numbers.
        """
        part = ascending[..., : count + 1]
        finite = np.isfinite(part)
        weight = np.power(self.r, np.arange(part.shape[-1] - 1), dtype=np.float64)

        def without(terms: np.ndarray) -> np.ndarray:
            sums = np.zeros(part.shape)
            np.cumsum(terms[..., :-1] * weight, axis=-1, out=sums[..., 1:])
            sums[..., :-1] += np.cumsum((terms[..., 1:] * weight)[..., ::-1], axis=-1)[..., ::-1]
            return sums[..., :count]

        total, share = without(np.where(finite, part, 0.0)), without(finite.astype(np.float64))
        return np.where(share > 0, total / np.where(share > 0, share, 1.0), np.nan)


#: The mean of the distances.
MEAN = DecayingMean(1.0)


def decaying_count(r: float, size: int) -> int:
    """Neighbours whose weight is above 2^-60 of the first one's: the rest is below a double's resolution."""
    if r == 1.0:
        return size - 1
    needed = 1 if r == 0.0 else int(np.ceil(np.log(2.0**-60) / np.log(r)))
    return min(max(1, needed), size - 1)
