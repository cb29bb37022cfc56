"""Distances between embeddings, exact where it matters and the same bits however they are computed.

Cosine distance is (1 - cos) / 2, in [0, 1]; it is a quarter of the squared distance of the unit vectors.
Euclidean distance is plain. Both come from the same products of centred vectors, in float64 whatever the
input:
    |x - y|^2         = |x - c|^2 + |y - c|^2 - 2 <x - c, y - c>
    (1 - cos(x, y)) / 2 = (|x - y|^2 - (|x| - |y|)^2) / (4 |x| |y|)
Pairs so close that this would cancel are computed again from their difference: exact copies are at distance
exactly 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import numpy as np

from asdflow.foundation.errors import ConfigError, DataError
from asdflow.geometry.inner_products import KEEP, Finish, Products, Rows, in_blocks
from asdflow.geometry.linear import IN_CACHE
from asdflow.geometry.neighbours import pairs_where, smallest
from asdflow.geometry.space import Metric

METRICS: tuple[str, ...] = get_args(Metric)

#: A squared distance below this share of the squared lengths is computed again from the difference. The
#: product's error is about 1e-15 of the squared lengths, so that every distance has a relative error < 1e-8.
CLOSE = 1e-6
#: Values of one batch of recomputed differences.
DIFFERENCES = 2**21
#: Rows and columns of a tile: 128 MB of distances.
TILE = 2**10, 2**14
#: Lengths are at least this when they are divided by.
TINY = float(np.finfo(np.float64).tiny)
#: Rows of larger or smaller values are scaled for the cosine, so that their squares are in range.
LARGEST, LEAST = 1e60, 1e-60


def pairwise(
    x: np.ndarray, y: np.ndarray | None, metric: str, *, threads: int | None = None, keep: int = KEEP
) -> np.ndarray:
    """Distance of every row of x to every row of y.

    Parameters
    ----------
    x : (M, D) float
        Any unit; NaN and infinity are refused.
    y : (N, D) float, or None
        The bank. None, or x itself, computes each pair once and mirrors it.
    metric : "cosine" or "euclidean"
    threads : int, optional
        Default: `asdflow.geometry.linear.workers()`. Changes no bit of the result, nor does `keep`.
    keep : int
        Values of x held centred at a time: the memory beside the result, but for a block of y a thread.

    Returns
    -------
    (M, N) float64
        A vector of zeros has no direction: its cosine distance is 1/2 to any other vector, 0 to its like.

    Raises
    ------
    ConfigError
        Unknown metric.
    DataError
        Not two axes, different D, or values that are not finite.
    """
    if metric not in METRICS:
        raise ConfigError(f"metric {metric!r}", "is not known", f"Known: {', '.join(METRICS)}.")
    itself = y is None or y is x
    x = matrix(x, "x")
    y = x if itself else matrix(y, "y")
    if x.shape[1] != y.shape[1]:
        raise DataError(
            "distances",
            f"between vectors of {x.shape[1]} and of {y.shape[1]} dimensions",
            "Embed both with the same encoder, layer and pooling.",
        )
    if metric == "cosine":
        x, y = (in_range(x),) * 2 if x is y else (in_range(x), in_range(y))
    finish, lengths = _finish(metric), metric == "cosine"
    return in_blocks(x, y, finish, lengths=lengths, threads=threads, keep=keep)[0]


def nearest_by_tiles(
    x: np.ndarray,
    y: np.ndarray,
    metric: str,
    k: int,
    numbers: np.ndarray | None = None,
    *,
    rows: int = TILE[0],
    columns: int = TILE[1],
) -> np.ndarray:
    """The k smallest distances of every row of x to rows of y, one tile at a time, in bounded memory.

    Parameters
    ----------
    x, y : (M, D) and (N, D) float
    metric : "cosine" or "euclidean"
    k : int
    numbers : (N,) int, optional
        Which row of x each row of y is, to leave it out as its own neighbour.
    rows, columns : int
        Size of a tile.

    Returns
    -------
    (M, k) float64 in ascending order, infinite where there are fewer.
    """
    result = np.full((len(x), k), np.inf)
    for top in range(0, len(x), rows):
        part = slice(top, min(top + rows, len(x)))
        for left in range(0, len(y), columns):
            tile = pairwise(x[part], y[left : left + columns], metric)
            if numbers is not None:
                own = numbers[left : left + columns]
                here = np.flatnonzero((own >= part.start) & (own < part.stop))
                tile[own[here] - part.start, here] = np.inf
            found = smallest(tile, min(k, tile.shape[1]))
            result[part] = np.sort(np.concatenate([result[part], found], axis=1), axis=1)[:, :k]
    return result


def from_products(products: Products, metric: str, out: np.ndarray | None = None) -> np.ndarray:
    """(M, N) float64 distances, bit for bit those of `pairwise`; written into `out` if that is given.

    For the cosine the products must be of vectors that `in_range` leaves as they are.
    """
    finish = _finish(metric)
    result = np.empty(products.inner.shape) if out is None else out
    step = max(1, IN_CACHE // result.shape[1])
    scratch = np.empty(step * result.shape[1])
    mirrored = products.left is products.right
    for start in range(0, len(result), step):
        rows = slice(start, min(start + step, len(result)))
        columns = slice(start if mirrored else 0, None)
        part = products.inner[rows, columns]
        block = scratch[: part.size].reshape(part.shape)
        block[...] = part
        finish(products.left.part(rows), products.right.part(columns), block, 0 if mirrored else None)
        result[rows, columns] = block
        if mirrored:
            result[columns, rows] = block.T
    return result


def in_range(vectors: np.ndarray) -> np.ndarray:
    """Vectors whose squares neither overflow nor vanish: rows scaled by powers of two where they would."""
    if vectors.dtype == np.float32:
        return vectors
    largest = np.abs(vectors).max(axis=1)
    extreme = (largest > LARGEST) | ((largest < LEAST) & (largest > 0))
    if not extreme.any():
        return vectors
    return np.ldexp(vectors, np.where(extreme, -np.frexp(largest)[1], 0)[:, None])


def matrix(values: np.ndarray, name: str) -> np.ndarray:
    """Check (rows, dimensions), at least one of each, finite. Raises DataError naming `name` and the row."""
    values = np.asarray(values)
    if values.dtype not in (np.float32, np.float64):
        if values.dtype.kind not in "fiu":
            raise DataError(name, f"holds {values.dtype} values", "Give real numbers.")
        values = values.astype(np.float64)
    if values.ndim != 2 or 0 in values.shape:
        raise DataError(
            name,
            f"has shape {values.shape}",
            "Give a table of (clips, dimensions), at least one of each.",
        )
    finite = np.isfinite(values)
    if not finite.all():
        rows = np.flatnonzero(~finite.all(axis=1))
        raise DataError(
            name,
            f"{len(rows)} of {len(values)} rows hold NaN or infinity, first row {rows[0]}",
            "Remove these clips, or find what made their embedding.",
        )
    return np.ascontiguousarray(values)


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Rows as float64 scaled to unit length; zeros stay zeros."""
    rows = rows.astype(np.float64)
    largest = np.abs(rows).max(axis=1, keepdims=True)  # keeps the squares of tiny and huge rows in range
    rows /= np.where(largest > 0, largest, 1.0)
    length = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    return rows / np.where(length > 0, length, 1.0)


def _finish(metric: str) -> Finish:
    return _euclidean if metric == "euclidean" else _cosine


def _euclidean(left: Rows, right: Rows, block: np.ndarray, diagonal: int | None) -> np.ndarray:
    """Products to Euclidean distances, in place."""
    lengths = left.square[:, None] + right.square
    block *= -2.0
    block += lengths
    for rows, columns in _close(block, lengths, left, diagonal):
        difference = left.vectors[rows].astype(np.float64) - right.vectors[columns]
        block[rows, columns] = np.square(difference).sum(axis=1)
    _clear(block, diagonal)
    return np.sqrt(block, out=block)


def _cosine(left: Rows, right: Rows, block: np.ndarray, diagonal: int | None) -> np.ndarray:
    """Products to cosine distances, in place."""
    a, b = left.length, right.length
    lengths, change = left.square[:, None] + right.square, left.excess[:, None] - right.excess
    change /= np.maximum(a[:, None] + b, TINY)  # |x| - |y|
    block *= -2.0
    block += lengths
    block -= np.square(change, out=change)
    close = list(_close(block, lengths, left, diagonal))
    with np.errstate(divide="ignore", invalid="ignore"):
        block /= np.multiply(4 * a[:, None], b, out=lengths)
    np.minimum(block, 1.0, out=block)
    for rows, columns in close:
        difference = unit_rows(left.vectors[rows]) - unit_rows(right.vectors[columns])
        block[rows, columns] = np.minimum(0.25 * np.square(difference).sum(axis=1), 1.0)
    block[a == 0] = 0.5
    block[:, b == 0] = 0.5
    block[np.ix_(a == 0, b == 0)] = 0.0
    _clear(block, diagonal)
    return block


def _close(
    square: np.ndarray, lengths: np.ndarray, left: Rows, diagonal: int | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and columns, some at a time, of the pairs to be computed again, but of no row itself."""
    rows, columns = pairs_where(square <= CLOSE * lengths)
    if diagonal is not None:
        other = columns != diagonal + rows
        rows, columns = rows[other], columns[other]
    step = max(1, DIFFERENCES // left.vectors.shape[1])
    for start in range(0, len(rows), step):
        yield rows[start : start + step], columns[start : start + step]


def _clear(block: np.ndarray, diagonal: int | None) -> None:
    """A vector is at distance 0 from itself."""
    if diagonal is not None:
        place = np.arange(len(block))
        block[place, diagonal + place] = 0.0
