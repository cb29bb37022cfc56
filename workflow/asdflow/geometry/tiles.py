"""Nearest clips of banks too large for a matrix of distances: one tile at a time, in bounded memory."""

from __future__ import annotations

import numpy as np

from asdflow.geometry.distances import pairwise
from asdflow.geometry.neighbours import smallest

#: Rows and columns of a tile: 128 MB of distances.
ROWS, COLUMNS = 2**10, 2**14


def nearest_by_tiles(
    x: np.ndarray,
    y: np.ndarray,
    metric: str,
    k: int,
    numbers: np.ndarray | None = None,
    *,
    rows: int = ROWS,
    columns: int = COLUMNS,
) -> np.ndarray:
    """The k smallest distances of every row of x to rows of y.

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
