"""The smallest distances of each row: values alone, or values with their places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Up to so many smallest values are found one after the other.
FEW = 3


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
    if FEW < count < distances.shape[-1] // 4:
        index = _others(_within_threshold(distances, count + 1), distances, start)
    else:
        distances = distances.copy()
        place = np.arange(distances.shape[1])
        distances[:, place, start + place] = np.inf
        index = places_of_smallest(distances, count)
    values = np.take_along_axis(distances, index, axis=-1)
    if count <= FEW:
        return Neighbours(index, values)
    order = np.argsort(values, axis=-1)
    return Neighbours(np.take_along_axis(index, order, -1), np.take_along_axis(values, order, -1))


def _others(index: np.ndarray, distances: np.ndarray, start: int) -> np.ndarray:
    """(bands, rows, count + 1) places less each own one, or less the farthest where that is missing."""
    own = start + np.arange(index.shape[1])[:, None]
    away = index == own
    missing = np.nonzero(~away.any(axis=-1))
    if len(missing[0]):  # more copies of it than were asked for
        values = np.take_along_axis(distances, index, axis=-1)[missing]
        away[(*missing, values.argmax(axis=-1))] = True
    return index[~away].reshape(*index.shape[:-1], -1)


def places_of_smallest(distances: np.ndarray, count: int) -> np.ndarray:
    """(..., min(count, R)) places of the smallest of the last axis; in ascending order where `count` <= FEW.

    `distances` are changed on the way, and left as they were.
    """
    count = min(count, distances.shape[-1])
    if count <= FEW:
        return _one_by_one(distances, count)
    if count < distances.shape[-1] // 4:
        return _within_threshold(distances, count)
    return np.argsort(distances, axis=-1)[..., :count]


def _one_by_one(distances: np.ndarray, count: int) -> np.ndarray:
    """(..., count) places of the smallest, ascending; `distances` is left as it was."""
    if count == 1:
        return distances.argmin(axis=-1)[..., None]
    places, values = [], []
    for _ in range(count):
        place = distances.argmin(axis=-1)[..., None]
        places.append(place)
        values.append(np.take_along_axis(distances, place, axis=-1))
        np.put_along_axis(distances, place, np.inf, axis=-1)
    for place, value in zip(places, values, strict=True):
        np.put_along_axis(distances, place, value, axis=-1)
    return np.concatenate(places, axis=-1)


def _within_threshold(distances: np.ndarray, count: int) -> np.ndarray:
    """(..., count) places of the smallest, in any order.

    Selecting values is three times faster than selecting places; places follow from comparing with the
    largest value selected, except in rows where it occurs more than once.
    """
    largest = np.partition(distances, count - 1, axis=-1)[..., count - 1 : count]
    chosen = distances <= largest
    number = np.count_nonzero(chosen, axis=-1)
    for row in zip(*np.nonzero(number != count), strict=True):
        chosen[row] = False
        chosen[row][np.argpartition(distances[row], count - 1)[:count]] = True
    return np.nonzero(chosen)[-1].reshape(*distances.shape[:-1], count)


def smallest_of_groups(group: np.ndarray, values: np.ndarray, groups: int, k: int) -> np.ndarray:
    """(groups, k) smallest values of each group, ascending, infinite where there are fewer.

    Parameters
    ----------
    group : (n,) int
        Group of each of the `values`.
    """
    result = np.full((groups, k), np.inf)
    order = np.lexsort((values, group))
    group, values = group[order], values[order]
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    first = rank < k
    result[group[first], rank[first]] = values[first]
    return result


def pairs_where(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the places that are set; faster than `nonzero` where these are few."""
    return np.divmod(np.flatnonzero(mask), mask.shape[1])


def as_slice(numbers: np.ndarray) -> slice | np.ndarray:
    """The same numbers as a slice where they follow each other: no copy is made of what it selects."""
    if len(numbers) and (np.diff(numbers) == 1).all():
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers
