"""What a backend compares a clip with: the clips of the bank, less those made of a clip that is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from asdflow.bank import Bank, Queries

#: Distances of one batch of rows, where not all are kept at once.
BATCH = 2**24
NOBODY = -1


@dataclass(frozen=True)
class Neighbours:
    """Nearest other references of every reference, in ascending order.

    Attributes
    ----------
    index : (bands, R, count) int
        Numbers of references.
    distance : (bands, R, count) float64
        Infinite where a reference has fewer neighbours.
    """

    index: np.ndarray
    distance: np.ndarray

    def first(self, count: int) -> Neighbours:
        """The `count` nearest."""
        return Neighbours(self.index[..., :count], self.distance[..., :count])


class References:
    """The bank's clips as they are.

    Attributes
    ----------
    bank : Bank
    size : int
        Number of references R.
    domain : (R,) int or None
        0 source, 1 target.
    owners : (R, P) int
        Clips that take a reference away when they are left out; NOBODY fills up.
    """

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.size = bank.size
        self.domain = bank.domain
        self.owners = np.arange(bank.size)[:, None]

    @property
    def vectors(self) -> np.ndarray:
        """(R, D) float."""
        return self.bank.vectors

    def to(self, queries: Queries, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, M, R) distances from the clips to be scored. Not to be written to."""
        return queries.distances(metric, bands)

    def from_bank(self, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, N, R) distances from the bank's clips. Not to be written to."""
        return self.bank.distances(metric, bands)

    def between(self, metric: str, bands: int = 1, rows: slice = slice(None)) -> np.ndarray:
        """(bands, rows, R) distances from some references to all. Not to be written to."""
        return self.bank.distances(metric, bands)[:, rows]

    def left_out(self, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, N, R) distances from each clip of the bank, infinite to references that it takes away."""
        result = self.from_bank(metric, bands).copy()
        for owner in self.owners.T:
            rows = np.flatnonzero(owner != NOBODY)
            result[:, owner[rows], rows] = np.inf
        return result

    def neighbours(self, metric: str, bands: int, count: int) -> Neighbours:
        """The `count` nearest other references of each, or as many as there are."""
        count = min(count, self.size - 1)
        known = self._lists(metric, bands)
        if "list" not in known or known["list"].index.shape[-1] < count:
            parts = [
                nearest_others(self.between(metric, bands, rows), rows.start, count)
                for rows in self._batches()
            ]
            known["list"] = Neighbours(
                np.concatenate([part.index for part in parts], axis=1),
                np.concatenate([part.distance for part in parts], axis=1),
            )
        return known["list"].first(count)

    def subset(self, rows: np.ndarray) -> References:
        """Only the references of these numbers."""
        return Subset(self, rows, self.owners[rows])

    def distinct(self, metric: str, bands: int) -> References:
        """One reference for each set of exact copies; leaving one of several copies out changes nothing."""
        first = np.concatenate(
            [(self.between(metric, bands, rows) == 0).all(axis=0).argmax(axis=1) for rows in self._batches()]
        )
        first = np.minimum(first, np.arange(self.size))  # a reference is a copy of itself, come what may
        if (first == np.arange(self.size)).all():
            return self
        owners = self.owners.copy()
        for kept in np.unique(first[first != np.arange(self.size)]):
            copies = np.flatnonzero(first == kept)
            common = set.intersection(*[set(self.owners[copy]) for copy in copies]) - {NOBODY}
            owners[kept] = NOBODY
            owners[kept, : len(common)] = sorted(common)
        rows = np.flatnonzero(first == np.arange(self.size))
        return Subset(self, rows, owners[rows])

    def _batches(self) -> Iterator[slice]:
        step = max(1, BATCH // self.size)
        for start in range(0, self.size, step):
            yield slice(start, min(start + step, self.size))

    def _lists(self, metric: str, bands: int) -> dict:
        return self.bank.remember(("neighbours", metric, bands), dict)


class Subset(References):
    """Some of the references."""

    def __init__(self, inner: References, rows: np.ndarray, owners: np.ndarray) -> None:
        self.bank, self.inner, self.rows = inner.bank, inner, rows
        self.size = len(rows)
        self.domain = None if inner.domain is None else inner.domain[rows]
        self.owners = owners
        self._known: dict = {}

    @property
    def vectors(self) -> np.ndarray:
        """(R, D) float."""
        return self.inner.vectors[self.rows]

    def to(self, queries: Queries, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, M, R) distances."""
        return self.inner.to(queries, metric, bands)[:, :, self.rows]

    def from_bank(self, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, N, R) distances."""
        return self.inner.from_bank(metric, bands)[:, :, self.rows]

    def between(self, metric: str, bands: int = 1, rows: slice = slice(None)) -> np.ndarray:
        """(bands, rows, R) distances."""
        if self.inner.size**2 <= BATCH:
            return self.inner.between(metric, bands)[:, self.rows[rows, None], self.rows]
        chosen = self.rows[rows]
        parts = [self.inner.between(metric, bands, slice(row, row + 1))[:, :, self.rows] for row in chosen]
        return np.concatenate(parts, axis=1)

    def _lists(self, metric: str, bands: int) -> dict:
        return self._known.setdefault((metric, bands), {})


def nearest_others(distances: np.ndarray, start: int, count: int) -> Neighbours:
    """The `count` smallest of each row, sorted, the reference itself left out by its number.

    Parameters
    ----------
    distances : (bands, rows, R)
    start : int
        Number of the first row.

    Notes
    -----
    Which of several equal distances comes first, or is the last to be taken, carries no meaning.
    """
    distances = distances.copy()
    place = np.arange(distances.shape[1])
    distances[:, place, start + place] = np.inf
    if count < distances.shape[-1] // 4:
        index = np.argpartition(distances, count, axis=-1)[..., :count]
        values = np.take_along_axis(distances, index, axis=-1)
        order = np.argsort(values, axis=-1)
        return Neighbours(np.take_along_axis(index, order, -1), np.take_along_axis(values, order, -1))
    index = np.argsort(distances, axis=-1)[..., :count]
    return Neighbours(index, np.take_along_axis(distances, index, axis=-1))
