"""What a backend compares a clip with: the clips of the bank, less those made of a clip that is left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asdflow.bank import Bank, Queries


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


class References:
    """The bank's clips as they are.

    Attributes
    ----------
    domain : (R,) int or None
        0 source, 1 target.
    size : int
        Number of references R.
    """

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.domain = bank.domain
        self.size = bank.size

    @property
    def vectors(self) -> np.ndarray:
        """(R, D) float."""
        return self.bank.vectors

    def to(self, queries: Queries, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, M, R) distances from the clips to be scored. Not to be written to."""
        return queries.distances(metric, bands)

    def between(self, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, R, R) distances between references. Not to be written to."""
        return self.bank.distances(metric, bands)

    def left_out(self, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, N, R) distances from each clip of the bank, infinite to references made of that clip."""
        result = self.between(metric, bands).copy()
        result[:, np.arange(self.size), np.arange(self.size)] = np.inf
        return result

    def made_of(self, clip: int) -> np.ndarray:
        """Numbers of the references that fall away when a clip is left out."""
        return np.array([clip])

    def neighbours(self, metric: str, bands: int, count: int) -> Neighbours:
        """The `count` nearest other references of each, or as many as there are."""
        count = min(count, self.size - 1)
        key = ("neighbours", type(self), metric, bands)
        known = self.bank.remember(key, dict)
        if not known or known["list"].index.shape[-1] < count:
            known["list"] = nearest(self.between(metric, bands), count, own=True)
        full = known["list"]
        return Neighbours(full.index[..., :count], full.distance[..., :count])


def nearest(distances: np.ndarray, count: int, own: bool = False) -> Neighbours:
    """The `count` smallest of the last axis, sorted. `own` leaves the diagonal out, by index.

    Which of several equal distances comes first, or is the last to be taken, carries no meaning.
    """
    distances = np.array(distances)
    if own:
        place = np.arange(distances.shape[-1])
        distances[..., place, place] = np.inf
    if count < distances.shape[-1] // 4:
        index = np.sort(np.argpartition(distances, count, axis=-1)[..., :count], axis=-1)
        values = np.take_along_axis(distances, index, axis=-1)
        order = np.argsort(values, axis=-1, kind="stable")
        index, values = np.take_along_axis(index, order, -1), np.take_along_axis(values, order, -1)
        return Neighbours(index, values)
    index = np.argsort(distances, axis=-1, kind="stable")[..., :count]
    return Neighbours(index, np.take_along_axis(distances, index, axis=-1))
