"""What is left of a principal subspace when several vectors are removed: as `_downdate`, of a higher rank.

T' = diag(g) - U^T U with p rows in U. On a line between the eigenvalues kept and the others,
    z^T (T' - t)^-1 z = R_zz + R_zU (I - R_UU)^-1 R_Uz,   R_ab = sum_j a_j b_j / (g_j - t)     (Woodbury)
    det(T' - t) / det(diag(g) - t) = det(I - R_UU)
and how many eigenvalues lie above a real t is the inertia of p x p matrices (Haynsworth), so that the two
next to the line are found by halving an interval and, once it holds no pole, by the Illinois rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from asdflow.covariance.downdate import END, nodes

#: Eigenvalues closer than this share of the largest cannot be told apart by a line between them.
APART = 1e-11
#: Relative error of an eigenvalue, and the share of the largest below which one is 0.
PRECISION, SMALLEST = 1e-14, 1e-15
#: Norm of a matrix below which a logarithm is a sum of so many powers: the rest is SERIES^TERMS of it.
SERIES, TERMS = 1e-3, 5


@dataclass(frozen=True)
class Removal:
    """A diagonal matrix less a product of few vectors.

    Attributes
    ----------
    value : (r,) float64
        g, descending.
    removed : (p, r) float64
        U.
    """

    value: np.ndarray
    removed: np.ndarray
    _known: dict[int, float] = field(default_factory=dict)

    @cached_property
    def _pairs(self) -> np.ndarray:
        """(p (p + 1) / 2, r): products of every two removed rows, each once."""
        first, second = np.tril_indices(len(self.removed))
        return self.removed[first] * self.removed[second]

    def _symmetric(self, pairs: np.ndarray) -> np.ndarray:
        """(n, p, p) matrices of the values of `_pairs`."""
        p = len(self.removed)
        result = np.empty((len(pairs), p, p), dtype=pairs.dtype)
        first, second = np.tril_indices(p)
        result[:, first, second] = result[:, second, first] = pairs
        return result

    @property
    def trace(self) -> float:
        """Sum of the eigenvalues."""
        return float(self.value.sum() - np.square(self.removed).sum())

    def eigenvalue(self, number: int) -> float:
        """The eigenvalue of this number, from 1, in descending order; 0 beyond the last."""
        if number not in self._known:
            reach = number - 1 + len(self.removed)  # eigenvalues fall by as many places at most (Weyl)
            high = float(self.value[number - 1]) if number <= len(self.value) else 0.0
            low = float(self.value[reach]) * (1 - 1e-12) if reach < len(self.value) else 0.0
            self._known[number] = self._between(low, high, number)
        return self._known[number]

    def _between(self, low: float, high: float, number: int) -> float:
        """The eigenvalue of this number, which lies in [low, high]: by halves, and by the Illinois rule.

        The rule (Dowell and Jarratt 1971) needs both ends in one interval between two of the values g, where
        the number that changes its sign at the eigenvalue is continuous.
        """
        below: tuple[int, float] | None = None  # values above the end, and the number there
        above: tuple[int, float] | None = None
        moved = ""
        while high - low > PRECISION * high:
            middle = 0.5 * (low + high)
            if below is not None and above is not None and below[0] == above[0]:
                margin = 0.4 * PRECISION * high
                middle = low + (high - low) * below[1] / (below[1] - above[1])
                middle = min(max(middle, low + margin), high - margin)
            larger, sign = self._crossing(middle, number)
            if sign > 0:
                if moved == "low" and above is not None:
                    above = above[0], 0.5 * above[1]
                low, below, moved = middle, (larger, sign), "low"
            else:
                if moved == "high" and below is not None:
                    below = below[0], 0.5 * below[1]
                high, above, moved = middle, (larger, sign), "high"
            if high < SMALLEST * self.value[0]:
                return 0.0
        return 0.5 * (low + high)

    def behind(self, z: np.ndarray, number: int) -> tuple[float, float, float]:
        """Squared length of z off the first axes, and the sum and the last of their eigenvalues."""
        smallest, following = self.eigenvalue(number), self.eigenvalue(number + 1)
        if smallest - following <= APART * self.value[0]:
            return self._decomposed(z, number)
        c, half = 0.5 * (smallest + following), 0.5 * (smallest - following)
        y, dy = nodes(half, END * self.value[0])
        away = self.value - c
        share = 1.0 / (
            np.square(away) + np.square(y)[:, None]
        )  # (nodes, r): 1 / (g - t) = (away + i y) share
        both = np.concatenate([share * away, y[:, None] * share])
        uu = self._symmetric(_complex(both @ self._pairs.T))
        uz = _complex((both * z) @ self.removed.T)
        inner = np.linalg.solve(np.eye(len(self.removed)) - uu, uz[..., None])[..., 0]
        resolvent = both[: len(y)] @ np.square(z) + (uz * inner).sum(axis=1).real
        logarithm = _log_det(uu)
        inside = np.abs(away) < half  # poles of the quotient that are too close to the line
        away = np.abs(away[inside])
        logarithm += 0.5 * np.log1p(np.square(away / y[:, None])).sum(axis=1)
        logarithm -= 0.5 * len(away) * np.log1p(np.square(half / y))
        excess = 2 / np.pi * (logarithm @ dy) - (away - half).sum()
        lengths = np.abs(self.value - c).sum() + excess  # sum |t - c|
        kept = 0.5 * (lengths + self.trace + c * (2 * number - len(self.value)))
        lost = 0.5 * (np.square(z).sum() - 2 / np.pi * (resolvent @ dy))
        return max(float(lost), 0.0), float(kept), smallest

    def _crossing(self, c: float, number: int) -> tuple[int, float]:
        """How many of the values g are larger than c, and what is positive if `number` eigenvalues are."""
        away = self.value - c
        away[away == 0] = np.finfo(np.float64).tiny
        larger = int(np.count_nonzero(away > 0))
        small = np.eye(len(self.removed)) - (self.removed / away) @ self.removed.T
        place = larger - number  # of the eigenvalues of `small`, ascending, that has to be positive
        if place < 0:
            return larger, -1.0
        return larger, 1.0 if place >= len(small) else float(np.linalg.eigvalsh(small)[place])

    def _decomposed(self, z: np.ndarray, number: int) -> tuple[float, float, float]:
        """`behind` by decomposing the matrix."""
        values, axes = np.linalg.eigh(np.diag(self.value) - self.removed.T @ self.removed)
        values, axes = np.maximum(values[::-1], 0.0), axes[:, ::-1]
        lost = np.square(axes[:, number:].T @ z).sum()
        return float(lost), float(values[:number].sum()), float(values[number - 1])


def _log_det(uu: np.ndarray) -> np.ndarray:
    """(n,) logarithms of |det(I - X)| of (n, p, p) complex matrices X, to full relative precision.

    Small ones by the series - sum tr(X^k) / k: they stand far out on the line, where the nodes weigh most.
    """
    result = np.empty(len(uu))
    size = np.sqrt(np.square(np.abs(uu)).sum(axis=(1, 2)))
    small = size < SERIES
    x = uu[small]
    power, total = x, np.trace(x, axis1=1, axis2=2).real
    for order in range(2, TERMS + 1):
        power = power @ x
        total = total + np.trace(power, axis1=1, axis2=2).real / order
    result[small] = -total
    result[~small] = np.linalg.slogdet(np.eye(uu.shape[1]) - uu[~small])[1]
    return result


def _complex(both: np.ndarray) -> np.ndarray:
    """Complex numbers from their real parts, followed by their imaginary parts, along the first axis."""
    real, imaginary = np.split(both, 2)
    return real + 1j * imaginary
