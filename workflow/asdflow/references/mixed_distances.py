"""Distances to means of clips, from those to the clips.

For weights w that sum to 1 and a point r = sum_p w_p b_p, |x - r|^2 = sum_p w_p |x - b_p|^2 - h with
h = 1/2 sum_pq w_p w_q |b_p - b_q|^2. For the cosine the vectors are scaled to unit length before they are
mixed, where |x - b|^2 is four times the cosine distance, and the length of r is sqrt(1 - h).
"""

from __future__ import annotations

import numpy as np

from asdflow.geometry.neighbours import pairs_where

#: Squared distances below this share of their terms are rounding and mean the same point.
ROUNDING = 1e-13


#: Squared distances in the space in which vectors are mixed, in these units, are the distances for the cosine
#: and their squares for the Euclidean metric: `in_units`.
UNIT = {"cosine": 4.0, "euclidean": 1.0}


def in_units(distances: np.ndarray, metric: str, out: np.ndarray | None = None) -> np.ndarray:
    """Squared distances in units of UNIT; the distances themselves where that is what they are."""
    return distances if metric == "cosine" else np.square(distances, out=out)


def squared(distances: np.ndarray, metric: str) -> np.ndarray:
    """Squared distances in the space in which vectors are mixed: for the cosine that of unit vectors."""
    return UNIT[metric] * in_units(distances, metric)


def from_units(values: np.ndarray, metric: str) -> np.ndarray:
    """Distances of what `in_units` gives, below 0 by rounding or not; `values` are changed."""
    np.maximum(values, 0.0, out=values)
    return np.sqrt(values, out=values) if metric == "euclidean" else values


def length(h: np.ndarray, rescaled: np.ndarray) -> np.ndarray:
    """What an inner product is divided by: the length of a rescaled mean of unit vectors, 1 otherwise."""
    return np.where(rescaled, np.sqrt(np.maximum(1 - h, 1e-30)), 1.0)


def from_clips(h: np.ndarray, rescaled: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """(scale, shift): what sum_p w_p |x - b_p|^2 is multiplied by, and what is then taken off.

    That gives the squared Euclidean distance of a clip x, or its cosine distance.
    """
    if metric == "euclidean":
        return np.ones_like(h), h
    scale = 0.25 / length(h, rescaled)
    return scale, np.where(rescaled, scale * (h + np.square(1 - length(h, rescaled))), 0.0)


def from_means(h: np.ndarray, rescaled: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """(scale, shift) as of `from_clips`, for x that is a mean itself and w that run over pairs of parents.

    That gives what grows with the distance of one x to several means.
    """
    if metric == "euclidean":
        return np.ones_like(h), h
    scale = 1 / length(h, rescaled)
    return scale, 2 * scale - 2


def cosine(square: np.ndarray, h: np.ndarray, rescaled: np.ndarray) -> np.ndarray:
    """Cosine distance of unit vectors to means of unit vectors at these squared distances."""
    norm = np.sqrt(np.maximum(1 - h, 1e-30))
    scaled = (square - np.square(1 - norm)) / (4 * norm)
    return np.clip(np.where(rescaled, scaled, 0.25 * (square + h)), 0.0, 1.0)


def between(
    total: np.ndarray, h: tuple[np.ndarray, np.ndarray], rescaled: tuple[np.ndarray, np.ndarray], metric: str
) -> None:
    """Turn mean squared distances of the parents of two means into the distance of the means, in place.

    Parameters
    ----------
    total : (n, m) float64
        Of all parents of one to those of the other.
    h, rescaled : pairs of arrays that broadcast to (n, m)
        Of the means of the rows and of the columns.

    Notes
    -----
    For the cosine, (1 - <p, q> / (a b)) / 2 with <p, q> = 1 - total / 2 of means p and q of lengths a and b.
    """
    mine, other = h
    away = total * (1 - ROUNDING)
    away -= other
    same = pairs_where(away <= mine)  # the squared distance, total - h - h', is rounding
    if metric == "euclidean":
        total -= mine
        total -= other
        total[same] = 0.0
        np.sqrt(np.maximum(total, 0.0, out=total), out=total)
        return
    at_same = [np.broadcast_to(values, total.shape)[same] for values in (*h, *rescaled)]
    total[same] = at_same[0] + at_same[1]
    total -= 2.0
    total *= 0.25 / length(mine, rescaled[0])
    total /= length(other, rescaled[1])
    total += 0.5
    copies = at_same[2] & at_same[3]
    total[same[0][copies], same[1][copies]] = 0.0
    np.clip(total, 0.0, 1.0, out=total)
