"""k-means from squared distances alone, the same for any order of the clips and any number of threads."""

from __future__ import annotations

import hashlib

import numpy as np

from asdflow.seeds import generator

RESTARTS = 10
ROUNDS = 300


def canonical_order(vectors: np.ndarray) -> np.ndarray:
    """Order of rows that depends on their values alone (at single precision), not on where they stand."""
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    digests = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
    return np.array(sorted(range(len(rows)), key=lambda row: digests[row]))


def kmeans(square: np.ndarray, clusters: int, seed: tuple) -> np.ndarray:
    """Labels of the best of ten runs of Lloyd's algorithm from k-means++ starts.

    Parameters
    ----------
    square : (n, n) float64
        Squared distances, rows in canonical order.
    clusters : int
        1 <= clusters <= n.
    seed : tuple
        Names that the draws depend on.

    Returns
    -------
    (n,) int, each of 0 .. clusters - 1 at least once.
    """
    runs = [_run(square, _start(square, clusters, generator(*seed, run))) for run in range(RESTARTS)]
    return min(runs, key=lambda run: run[0])[1]


def _start(square: np.ndarray, clusters: int, draw: np.random.Generator) -> np.ndarray:
    """Clips chosen by k-means++ (Arthur & Vassilvitskii 2007)."""
    chosen = [int(draw.integers(len(square)))]
    nearest = square[chosen[0]].copy()
    while len(chosen) < clusters:
        total = nearest.sum()
        if total > 0:
            pick = int(np.searchsorted(np.cumsum(nearest), draw.random() * total, side="right"))
            pick = min(pick, len(square) - 1)
        else:
            pick = next(row for row in range(len(square)) if row not in chosen)
        chosen.append(pick)
        nearest = np.minimum(nearest, square[pick])
    return np.array(chosen)


def _run(square: np.ndarray, start: np.ndarray) -> tuple[float, np.ndarray]:
    """Inertia and labels of one run. |x - c|^2 = mean |x - b|^2 - 1/2 mean |b - b'|^2 over the cluster."""
    count = len(start)
    labels = square[:, start].argmin(axis=1)
    labels[start] = np.arange(count)
    member = (labels[:, None] == np.arange(count)).astype(np.float64)
    sums = square @ member
    for _ in range(ROUNDS):
        number = member.sum(axis=0)
        within = (member * sums).sum(axis=0)
        away = sums / number - 0.5 * within / number**2
        new = away.argmin(axis=1)
        for empty in np.setdiff1d(np.arange(count), new):
            movable = np.bincount(new, minlength=count)[new] > 1
            own = np.where(movable, away[np.arange(len(new)), new], -np.inf)
            new[own.argmax()] = empty
        moved = np.flatnonzero(new != labels)
        if not len(moved):
            break
        labels = new
        change = (labels[moved, None] == np.arange(count)) - member[moved]
        member[moved] += change
        sums += square[:, moved] @ change  # few clips move after the first rounds
    inertia = 0.5 * ((member * (square @ member)).sum(axis=0) / member.sum(axis=0)).sum()
    return float(inertia), labels
