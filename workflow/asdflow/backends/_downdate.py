"""Eigenvalues of a scatter matrix when one vector is removed, and that vector's share along each new axis.

Removing a vector is an update of rank one, T' = diag(g) - beta z z^T in the old axes. Its eigenvalues are the
roots of the secular equation 1 = beta sum_j z_j^2 / (g_j - t), one between each two neighbours of g; the
squared component of z along the new axis is 1 / (beta^2 sum_j z_j^2 / (g_j - t)^2). (Golub 1973; Bunch,
Nielsen & Sorensen 1978; roots by the interpolation of Li, LAPACK working note 89, 1993.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Poles closer than this share of the largest are one pole of higher multiplicity.
SAME = 1e-13
ROUNDS = 60


@dataclass(frozen=True)
class Poles:
    """Distinct eigenvalues of the full scatter, descending, and how often each occurs."""

    value: np.ndarray
    multiplicity: np.ndarray
    group: np.ndarray

    @property
    def last(self) -> np.ndarray:
        """Rank, from 1, of the moved eigenvalue of each pole; its copies before it stay where they are."""
        return np.cumsum(self.multiplicity)

    def weights(self, coordinates: np.ndarray) -> np.ndarray:
        """(R, poles) squared coordinates, summed over equal eigenvalues."""
        square = np.square(coordinates)
        weight = np.add.reduceat(square, np.unique(self.group, return_index=True)[1], axis=1)
        return np.maximum(weight, 1e-30 * weight.sum(axis=1, keepdims=True) + 1e-300)


def poles(scatter: np.ndarray) -> Poles:
    """Group descending eigenvalues that are equal up to rounding."""
    new = np.concatenate([[True], -np.diff(scatter) > SAME * scatter[0]])
    return Poles(scatter[new], np.bincount(np.cumsum(new) - 1), np.cumsum(new) - 1)


def moved(value: np.ndarray, weight: np.ndarray, beta: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` moved eigenvalues and the squared component of z along their axes.

    Parameters
    ----------
    value : (P,) float64
        Poles g, descending, positive.
    weight : (P,) float64
        z_j^2, positive.
    beta : float
    count : int
        1 <= count <= P.

    Returns
    -------
    (count,) eigenvalues and (count,) squared components, float64.
    """
    gap = value[:count] - np.append(value[1:], 0.0)[:count]
    difference = value - value[:count, None]  # g_j - g_k, so that g_j - t = difference + delta
    above = np.arange(len(value)) <= np.arange(count)[:, None]
    low, high = np.zeros(count), gap.copy()
    delta = np.clip(beta * weight[:count], 1e-3 * gap, 0.5 * gap)
    for _ in range(ROUNDS):
        term = beta * weight / (difference + delta[:, None])
        slope = term / (difference + delta[:, None])
        left, right = np.where(above, term, 0.0).sum(axis=1), np.where(above, 0.0, term).sum(axis=1)
        left_slope, right_slope = (
            np.where(above, slope, 0.0).sum(axis=1),
            np.where(above, 0.0, slope).sum(axis=1),
        )
        excess = left + right - 1.0
        low, high = np.where(excess > 0, delta, low), np.where(excess <= 0, delta, high)
        b1, b2 = left_slope * delta**2, right_slope * (delta - gap) ** 2
        a = left - left_slope * delta + right - right_slope * (delta - gap) - 1.0
        step = _between(a, b1 + b2 - a * gap, -b1 * gap)
        outside = ~((step > low) & (step < high))
        new = np.where(outside, 0.5 * (low + high), step)
        done = np.abs(new - delta) <= 4e-16 * gap + 1e-14 * np.minimum(delta, gap - delta)
        delta = new
        if done.all():
            break
    slope = (weight / np.square(difference + delta[:, None])).sum(axis=1)
    return value[:count] - delta, 1.0 / (beta**2 * slope)


def _between(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The root of a x^2 + b x + c that is positive and finite, without cancellation; c < 0."""
    root = np.sqrt(np.maximum(b * b - 4 * a * c, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b > 0, -2 * c / (b + root), np.where(a != 0, (root - b) / (2 * a), np.inf))
