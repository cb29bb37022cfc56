"""What is left of a principal subspace when one vector is removed from a scatter matrix, for many vectors.

Removing a vector is an update of rank one, T' = diag(g) - beta z z^T in the old axes, g descending. Its
eigenvalues t are the roots of f(t) = 1 - beta R(t), R(t) = sum_j z_j^2 / (g_j - t), one between each two
neighbours of g (Golub 1973; roots by the interpolation of Li, LAPACK working note 89, 1993).

How much of z lies off the leading axes, and what the leading eigenvalues sum to, are sums over hundreds of
roots. They need not be solved for: both are integrals over a vertical line in the complex plane that passes
between the eigenvalues kept and the others, at c = g_k. With t = c + i y,
    energy left of c - energy right of c = -2/pi int_0^inf Re R/f dy     (resolvent of T', Sherman-Morrison)
    sum |t - c| - sum |g - c|            =  2/pi int_0^inf log |f| dy    (Jensen)
The two roots next to c are solved for and taken out of the integrands, which y = d sinh u then makes smooth:
the midpoint rule converges geometrically (Trefethen & Weideman, SIAM Review 56, 2014), and R at the nodes is
one matrix product for all vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asdflow.geometry.compiled import compiled
from asdflow.geometry.linear import product

#: Poles closer than this share of the largest are one pole of higher multiplicity.
SAME = 1e-13
ROUNDS = 60
#: Rounding of f, in units of what it is summed from: below it a root cannot be told from its surroundings.
NOISE = 1e-15
#: Distance of the nodes in u: the error of the midpoint rule is exp(-pi^2 / STEP).
STEP = 0.3
#: Last node, in units of the largest eigenvalue: beyond, the integrands are a / y^2 to 1 / END^2.
END = 1e5


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
        weight = np.square(coordinates)
        if len(self.value) < weight.shape[1]:
            weight = np.add.reduceat(weight, np.unique(self.group, return_index=True)[1], axis=1)
        return np.maximum(weight, 1e-30 * weight.sum(axis=1, keepdims=True) + 1e-300, out=weight)

    def cut(self, weight: np.ndarray, beta: float, number: int) -> Cut:
        """Spectra of n vectors removed in turn, cut behind the first `number` eigenvalues.

        `weight` as `weights` gives it. Copies of a pole stay where they are, but for the last one.
        """
        k = int(np.searchsorted(self.last, number, side="right"))
        copies = number - (self.last[k - 1] if k else 0)
        still = ((self.multiplicity[:k] - 1) * self.value[:k]).sum()
        total = weight.sum(axis=1)
        if k == len(self.value):
            lowest = self.value[-1] - _root(self.value, weight, beta, k - 1)[0]
            return Cut(np.zeros(len(weight)), still + self.value.sum() - beta * total, lowest)
        still += copies * self.value[k]
        if k == 0:
            return Cut(total, np.full(len(weight), still), np.full(len(weight), self.value[0]))
        lost, kept, above = _split(self.value, weight, beta, k)
        return Cut(lost, still + kept, np.full(len(weight), self.value[k]) if copies else above)


@dataclass(frozen=True)
class Cut:
    """What a cut of the spectrum leaves; all (n,) float64.

    Attributes
    ----------
    lost : squared length of the part of z along the axes behind the cut
    kept : sum of the eigenvalues before it
    smallest : the last of these
    """

    lost: np.ndarray
    kept: np.ndarray
    smallest: np.ndarray


def poles(scatter: np.ndarray) -> Poles:
    """Group descending eigenvalues that are equal up to rounding."""
    new = np.concatenate([[True], -np.diff(scatter) > SAME * scatter[0]])
    return Poles(scatter[new], np.bincount(np.cumsum(new) - 1), np.cumsum(new) - 1)


def _split(
    value: np.ndarray, weight: np.ndarray, beta: float, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split the spectra of diag(value) - beta z z^T at pole k, 1 <= k < P counted from 0.

    Returns
    -------
    lost, kept, above : (n,) float64
        Squared length of the part of z along the axes below the pole; sum of the k eigenvalues above it; the
        last of these.
    """
    c, total = value[k], weight.sum(axis=1)
    to_above, energy_above = _root(value, weight, beta, k - 1)
    to_below, energy_below = _root(value, weight, beta, k)
    gap = value[k - 1] - c
    a, b = gap - to_above, -to_below  # the two roots, less c
    after = value[k + 1] if k + 1 < len(value) else 0.0
    y, dy = nodes(min(gap, c - after), END * value[0])
    square = np.square(value - c)[:, None] + np.square(y)
    real = product(weight, ((value - c)[:, None] / square).T, threads=1)
    imaginary = product(weight, (y / square).T, threads=1)
    size = np.square(1 - beta * real) + np.square(beta * imaginary)  # |f|^2
    resolvent = (real * (1 - beta * real) - beta * np.square(imaginary)) / size
    logarithm = np.log1p(-2 * beta * real + np.square(beta) * (np.square(real) + np.square(imaginary)))
    logarithm += np.log1p(np.square(gap / y))
    for root, energy in ((a, energy_above), (b, energy_below)):
        resolvent -= energy[:, None] * root[:, None] / (np.square(root)[:, None] + np.square(y))
        logarithm -= np.log1p(np.square(root[:, None] / y))
    far = 0.5 * (total - energy_above - energy_below - 2 / np.pi * (resolvent @ dy))
    excess = (logarithm @ dy) / np.pi + np.abs(a) + np.abs(b) - gap
    kept = value[:k].sum() + 0.5 * (excess - beta * total)
    return np.maximum(far, 0.0) + energy_below, kept, c + a


def nodes(scale: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes y = scale sinh u up to `end`, and their weights; the last one stands for all that follow.

    There an integrand a / y^2 times the weight falls by exp(-STEP) from node to node.
    """
    u = (np.arange(int(np.arcsinh(end / scale) / STEP) + 1) + 0.5) * STEP
    weight = scale * np.cosh(u) * STEP
    weight[-1] /= 1 - np.exp(-STEP)
    return scale * np.sinh(u), weight


def _root(value: np.ndarray, weight: np.ndarray, beta: float, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) how far the eigenvalue below pole k lies from it, (n,) squared part of z along its axis."""
    delta, energy = np.empty(len(weight)), np.empty(len(weight))
    _solve(value, value - value[k], weight, beta, k, delta, energy)
    return delta, energy


@compiled
def _solve(value, difference, weight, beta, k, delta, energy):
    """Write `_root`.

    Beside the two poles next to the root, the others are taken for a constant and for a change of one pole's
    weight, such that value and slope are met. The nearer pole keeps its own weight ("fixed weight", Li), or
    a root that almost touches it would be approached by halving the interval.
    """
    poles = len(value)
    last = k + 1 == poles
    gap = value[k] if last else value[k] - value[k + 1]
    for i in range(len(weight)):
        own, following = beta * weight[i, k], 0.0 if last else beta * weight[i, k + 1]
        low, high, d, near = 0.0, gap, 0.5 * gap, False
        for number in range(ROUNDS):
            left, right, slope = 0.0, 0.0, 0.0
            for j in range(poles):  # g_j - t = difference + d
                share = 1.0 / (difference[j] + d)
                term = beta * weight[i, j] * share
                slope += term * share
                if j <= k:
                    left += term
                else:
                    right += term
            excess = left + right - 1.0
            if number == 0:
                near = excess <= 0
            if excess > 0:
                low = d
            else:
                high = d
            if abs(excess) <= NOISE * (left - right + 1.0):
                break
            away = d - gap
            b1, b2 = own, following
            if near:
                b2 = max(slope - own / d**2, 0.0) * away**2
            else:
                b1 = max(slope - following / away**2, 0.0) * d**2
            # The root of a x^2 + b x + c that is positive and finite, without cancellation; c < 0.
            a, c = excess - b1 / d - b2 / away, -b1 * gap
            b = b1 + b2 - a * gap
            root = np.sqrt(max(b * b - 4 * a * c, 0.0))
            new = -2 * c / (b + root) if b > 0 else (root - b) / (2 * a) if a != 0 else np.inf
            if not (low < new < high):
                new = 0.5 * (low + high)
            moved, reach = abs(new - d), 4e-16 * gap + 1e-14 * min(d, gap - d)
            d = new
            if moved <= reach:
                break
        slope = 0.0
        for j in range(poles):
            slope += beta * weight[i, j] / (difference[j] + d) ** 2
        delta[i] = d
        energy[i] = 1.0 / (beta * slope)
