"""The smallest distances of each row: values alone, or values with their places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Neighbours that are found one after the other: a pass for each, while a partition takes twenty.
FEW = 24


@dataclass(frozen=True)
class Neighbours:
    """What is nearest to each row, in ascending order.

    Attributes
    ----------
    index : (..., count) int
    distance : (..., count) float64
    """

    index: np.ndarray
    distance: np.ndarray

    def first(self, count: int) -> Neighbours:
        """The `count` nearest."""
        return Neighbours(self.index[..., :count], self.distance[..., :count])


def nearest(distances: np.ndarray, k: int) -> Neighbours:
    """The k smallest of the last axis of (..., R), or as many as there are; none may be NaN.

    Which of several equal distances comes first, or is the last to be taken, carries no meaning.
    """
    k = min(k, distances.shape[-1])
    if k > FEW:
        index = np.argsort(distances, axis=-1)[..., :k]
        return Neighbours(index, np.take_along_axis(distances, index, axis=-1))
    shape = (*distances.shape[:-1], k)
    index, value, rest = np.empty(shape, dtype=np.int64), np.empty(shape), np.array(distances)
    for place in range(k):
        found = rest.argmin(axis=-1, keepdims=True)
        index[..., place] = found[..., 0]
        value[..., place] = np.take_along_axis(rest, found, axis=-1)[..., 0]
        np.put_along_axis(rest, found, np.inf, axis=-1)
    return Neighbours(index, value)


def smallest(distances: np.ndarray, k: int) -> np.ndarray:
    """(..., min(k, R)) smallest values of the last axis, in ascending order; none may be NaN."""
    return distances.min(axis=-1, keepdims=True) if k == 1 else nearest(distances, k).distance


def nearest_others(distances: np.ndarray, start: int, count: int) -> Neighbours:
    """`nearest` of (bands, rows, R), each row itself left out by its number; `start` is that of the first."""
    distances = distances.copy()
    place = np.arange(distances.shape[1])
    distances[:, place, start + place] = np.inf
    return nearest(distances, count)


def pairs_where(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the places that are set; faster than `nonzero` where these are few."""
    return np.divmod(np.flatnonzero(mask), mask.shape[1])


def in_order(numbers: np.ndarray) -> np.ndarray:
    """Places of whole numbers from 0, ascending, equal ones as they stand; fast where these are small."""
    if len(numbers) and numbers.max() < 2**16:
        numbers = numbers.astype(np.uint16)  # numpy's stable sort of these is a radix sort
    return np.argsort(numbers, kind="stable")


def as_slice(numbers: np.ndarray) -> slice | np.ndarray:
    """The same numbers as a slice where they follow each other: no copy is made of what it selects."""
    if len(numbers) and (np.diff(numbers) == 1).all():
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers
