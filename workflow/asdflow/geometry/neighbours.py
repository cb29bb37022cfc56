"""The smallest distances of each row: values alone, or values with their places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Neighbours:
    """Nearest other references of every reference, in ascending order.

    Attributes
    ----------
    index : (bands, R, count) int
        Numbers of references.
    distance : (bands, R, count) float64
    """

    index: np.ndarray
    distance: np.ndarray

    def first(self, count: int) -> Neighbours:
        """The `count` nearest."""
        return Neighbours(self.index[..., :count], self.distance[..., :count])


def smallest(distances: np.ndarray, k: int) -> np.ndarray:
    """(..., min(k, R)) smallest values of the last axis, in ascending order."""
    if k == 1:
        return distances.min(axis=-1, keepdims=True)
    if k < distances.shape[-1]:
        distances = np.partition(distances, k - 1, axis=-1)[..., :k]
    return np.sort(distances, axis=-1)


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
    index = np.argpartition(distances, count - 1, axis=-1)[..., :count]
    near = np.take_along_axis(distances, index, axis=-1)
    order = np.argsort(near, axis=-1)
    return Neighbours(*(np.take_along_axis(part, order, axis=-1) for part in (index, near)))


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
