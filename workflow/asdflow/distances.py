"""Distances between embeddings, exact where it matters and the same bits however they are computed.

Cosine distance is (1 - cos) / 2, in [0, 1]; it is a quarter of the squared distance of the unit vectors.
Euclidean distance is plain. Both come from one matrix product of centred vectors, in float64 whatever the
input, and pairs so close that the product would cancel are computed again from their difference: exact copies
are at distance exactly 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from asdflow.errors import ConfigError, DataError
from asdflow.linear import BLOCK, blocks, one_blas_thread, padded, shared_out

Metric = Literal["cosine", "euclidean"]
METRICS: tuple[str, ...] = ("cosine", "euclidean")

#: A squared distance below this share of the squared lengths is computed again from the difference. The
#: product's error is about 1e-15 of the squared lengths, so that every distance has a relative error < 1e-8.
CLOSE = 1e-6
#: Values that hold prepared queries at most; beyond, they are prepared again for every block of the bank.
KEEP = 2**26
#: Values of one batch of recomputed differences.
BATCH = 2**21


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
        Default: `asdflow.linear.workers()`. Changes no bit of the result, nor does `keep`.
    keep : int
        Values of x held prepared at a time: the memory beside the result, but for a block of y a thread.

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
    x = matrix(x, "x")
    y = x if y is None or y is x else matrix(y, "y")
    if x.shape[1] != y.shape[1]:
        raise DataError(
            "distances",
            f"between vectors of {x.shape[1]} and of {y.shape[1]} dimensions",
            "Embed both with the same encoder, layer and pooling.",
        )
    result = np.empty((len(x), len(y)))
    with one_blas_thread():
        prepare = _preparation(y, metric)
        share = max(BLOCK, keep // max(1, x.shape[1]) // BLOCK * BLOCK)
        for start in range(0, len(x), share):
            _fill(result, x, y, range(start, min(start + share, len(x)), BLOCK), prepare, metric, threads)
    if x is y:
        lower = np.tril_indices(-(-len(x) // BLOCK), -1)
        for i, j in zip(*(index * BLOCK for index in lower), strict=True):
            result[i : i + BLOCK, j : j + BLOCK] = result[j : j + BLOCK, i : i + BLOCK].T
    return result


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


def _fill(
    result: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    starts: range,
    prepare: Callable,
    metric: str,
    threads: int | None,
) -> None:
    """Distances of the row blocks of x at `starts`."""
    prepared = {start: prepare(x[start : start + BLOCK]) for start in starts}

    def column_block(columns: slice) -> None:
        right = (
            prepare(y[columns]) if x is not y or columns.start not in prepared else prepared[columns.start]
        )
        for start, left in prepared.items():
            if x is y and start > columns.start:
                continue
            block = _block(left, right, metric)
            rows = slice(start, min(start + BLOCK, len(x)))
            result[rows, columns] = block[: rows.stop - start, : columns.stop - columns.start]

    shared_out(column_block, blocks(len(y)), threads)


def _preparation(y: np.ndarray, metric: str) -> Callable[[np.ndarray], tuple]:
    """Function from rows to (BLOCK, D) vectors whose differences are wanted, centred, and their squares.

    Centring changes no difference, but an offset common to all clips would swallow the digits of a product.
    The centre has 12 bits, so that the order of the rows, which decides the last bits of a mean, is not seen.
    """
    total = np.zeros(y.shape[1])
    for rows in blocks(len(y)):
        total += _vectors(y[rows], metric).sum(axis=0)
    mantissa, exponent = np.frexp(total / len(y))
    centre = np.ldexp(np.round(mantissa * 4096) / 4096, exponent)

    def prepare(rows: np.ndarray) -> tuple:
        vectors = _vectors(rows, metric)
        zero = ~vectors.any(axis=1) if metric == "cosine" else np.zeros(len(rows), dtype=bool)
        block = padded(vectors - centre)
        return block, np.square(block).sum(axis=1), np.flatnonzero(zero)

    return prepare


def _vectors(rows: np.ndarray, metric: str) -> np.ndarray:
    """Rows as float64, for the cosine scaled to unit length."""
    return rows.astype(np.float64) if metric == "euclidean" else unit_rows(rows)


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Rows as float64 scaled to unit length; zeros stay zeros."""
    rows = rows.astype(np.float64)
    largest = np.abs(rows).max(axis=1, keepdims=True)  # keeps the squares of tiny and huge rows in range
    rows /= np.where(largest > 0, largest, 1.0)
    length = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    return rows / np.where(length > 0, length, 1.0)


def _block(left: tuple, right: tuple, metric: str) -> np.ndarray:
    """(BLOCK, BLOCK) distances of two prepared blocks."""
    (a, a_square, a_zero), (b, b_square, b_zero) = left, right
    lengths = a_square[:, None] + b_square
    square = a @ b.T
    square *= -2.0
    square += lengths
    rows, columns = np.nonzero(square <= CLOSE * lengths)
    step = max(1, BATCH // a.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        difference = a[rows[part]] - b[columns[part]]
        square[rows[part], columns[part]] = np.square(difference).sum(axis=1)
    if metric == "euclidean":
        return np.sqrt(square, out=square)
    square *= 0.25
    np.minimum(square, 1.0, out=square)
    square[a_zero] = 0.5
    square[:, b_zero] = 0.5
    square[np.ix_(a_zero, b_zero)] = 0.0
    return square
