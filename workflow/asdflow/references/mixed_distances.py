"""Distances to means of clips, from those to the clips.

For weights w that sum to 1 and a mean r = sum_p w_p b_p, |x - r|^2 = sum_p w_p |x - b_p|^2 - h with
h = sum_p w_p |b_p - r|^2 = 1/2 sum_pq w_p w_q |b_p - b_q|^2, the variance. For the cosine the vectors are
scaled to unit length before they are averaged, where |x - b|^2 is four times the cosine distance, and the
length of r is sqrt(1 - h).
"""

from __future__ import annotations

import numpy as np

from asdflow.geometry.neighbours import pairs_where
from asdflow.geometry.space import Metric

#: Squared distances below this share of their terms are rounding and mean the same point.
ROUNDING = 1e-13

#: (scale, shift): what a mean squared distance is multiplied by, and what is then taken off.
Affine = tuple[np.ndarray, np.ndarray]


def length(h: np.ndarray, rescaled: np.ndarray) -> np.ndarray:
    """What an inner product is divided by: the length of a rescaled mean of unit vectors, 1 otherwise."""
    return np.where(rescaled, np.sqrt(np.maximum(1 - h, 1e-30)), 1.0)


def from_clips(h: np.ndarray, rescaled: np.ndarray, metric: Metric) -> Affine:
    """What makes the squared Euclidean or the cosine distance of a clip x of sum_p w_p |x - b_p|^2."""
    if metric == "euclidean":
        return np.ones_like(h), h
    scale = 0.25 / length(h, rescaled)
    return scale, np.where(rescaled, scale * (h + np.square(1 - length(h, rescaled))), 0.0)


def from_means(h: np.ndarray, rescaled: np.ndarray, metric: Metric) -> Affine:
    """As `from_clips`, for x a mean itself: what grows with the distance of one x to several means."""
    if metric == "euclidean":
        return np.ones_like(h), h
    scale = 1 / length(h, rescaled)
    return scale, 2 * scale - 2


def finished(values: np.ndarray, metric: Metric) -> np.ndarray:
    """Distances of what `from_clips` gives, below 0 by rounding or not; `values` are changed."""
    np.maximum(values, 0.0, out=values)
    return np.sqrt(values, out=values) if metric == "euclidean" else values


def without(
    w: np.ndarray, square: np.ndarray, h: np.ndarray, rescaled: np.ndarray, metric: Metric
) -> np.ndarray:
    """(n,) distances of clips to means that they are taken out of.

    Without a part w of the mean, a clip at b is at |b - r'|^2 = |b - r|^2 / (1 - w)^2 from what is left, of
    which h' = h / (1 - w) - w |b - r'|^2.

    Parameters
    ----------
    w : (n,) float64, in (0, 1)
    square : (n,) float64
        Mean squared distance of the clip to all parents.
    """
    away = square - h
    away[away <= ROUNDING * np.abs(square)] = 0.0
    away /= np.square(1 - w)
    left = h / (1 - w) - w * away
    scale, shift = from_clips(left, rescaled, metric)
    return finished(scale * (away + left) - shift, metric)


def of_means(
    total: np.ndarray,
    h: tuple[np.ndarray, np.ndarray],
    rescaled: tuple[np.ndarray, np.ndarray],
    metric: Metric,
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
    same = pairs_where(total * (1 - ROUNDING) - other <= mine)  # total - h - h' is rounding
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
