"""Ledoit-Wolf covariance in principal axes, and the same with each vector left out in turn.

Ledoit & Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", J. Multivariate
Analysis 88 (2004). With n vectors z around their mean, S = Z^T Z / n, p dimensions and m = tr(S) / p:
    d2 = (|S|^2 - p m^2) / p        (squared distance of S from a multiple of the identity)
    b2 = (sum |z|^4 / n - |S|^2) / (n p), at most d2
    rho = b2 / d2
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asdflow.covariance.axes import Missing, Spectrum
from asdflow.foundation.errors import DataError
from asdflow.geometry.linear import row_dots
from asdflow.references.references import NOBODY


@dataclass(frozen=True)
class Covariance:
    """(1 - rho) S + rho m I, in the axes diag(along) - V^T V.

    Attributes
    ----------
    shrinkage : float
        rho, in [0, 1].
    along : (r,) float64
        Its eigenvalues along the axes, where V is None.
    beside : float
        Its eigenvalue off the span of the axes.
    removed : (p, r) float64, or None
        V.
    """

    shrinkage: float
    along: np.ndarray
    beside: float
    removed: np.ndarray | None = None

    def squared_length(self, coordinates: np.ndarray, beside: np.ndarray) -> np.ndarray:
        """(M,) squared Mahalanobis lengths of vectors given in the axes and by what lies beside them."""
        length = (np.square(coordinates) / self.along).sum(axis=1)
        if self.removed is not None:  # Woodbury
            across = (coordinates / self.along) @ self.removed.T
            length += row_dots(across, np.linalg.solve(self._small, across.T).T)
        return length + beside / self.beside if self.beside > 0 else length

    @property
    def margin(self) -> float:
        """Share of a variance that V leaves at least: a result has lost the digits that this is below 1."""
        return 1.0 if self.removed is None else float(np.linalg.eigvalsh(self._small)[0])

    @cached_property
    def _small(self) -> np.ndarray:
        """(p, p): I - V diag(along)^-1 V^T."""
        return np.eye(len(self.removed)) - (self.removed / self.along) @ self.removed.T


def shrinkage(
    n: np.ndarray | int, p: int, trace: np.ndarray, square: np.ndarray, fourth: np.ndarray
) -> np.ndarray:
    """rho from n, p, tr(S), |S|^2 and the sum of |z|^4. One dimension is not shrunk, as in scikit-learn."""
    mean = trace / p
    d2 = (square - 2 * mean * trace + p * mean**2) / p
    b2 = np.minimum((fourth / n - square) / (n * p), d2)
    usable = (b2 > 0) & (d2 > 0) & (p > 1)
    return np.where(usable, b2 / np.where(usable, d2, 1.0), 0.0)


def covariance(axes: Spectrum) -> Covariance:
    """Shrunk covariance of the vectors behind the axes. Raises DataError where it is singular."""
    n, p = axes.size, axes.dimensions
    trace, square = _moments(axes, axes.removed, n)
    rho = float(shrinkage(n, p, trace, square, np.square(axes.squares).sum()))
    beside = rho * trace / p
    _require_inverse(np.array([beside]), axes, n)
    removed = None if axes.removed is None else np.sqrt((1 - rho) / n) * axes.removed
    return Covariance(rho, (1 - rho) * axes.scatter / n + beside, beside, removed)


def _moments(axes: Spectrum, removed: np.ndarray | None, n: int) -> tuple[float, float]:
    """tr(S) and |S|^2 of n S = diag(scatter) - U^T U."""
    trace, square = axes.scatter.sum(), np.square(axes.scatter).sum()
    if removed is not None:
        trace -= np.square(removed).sum()
        square -= 2 * (np.square(removed) * axes.scatter).sum()
        square += np.square(removed @ removed.T).sum()
    return float(trace / n), float(square / n**2)


@dataclass(frozen=True)
class LeftOut:
    """For vectors i the covariance c1 S + c2 I - c3 z z^T that remains without one, z = vector i centred.

    S is that of all R vectors. c1, c2 and c3 are (n,) float64, z is (n, r): of the first n vectors.
    """

    axes: Spectrum
    z: np.ndarray
    c1: np.ndarray
    c2: np.ndarray
    c3: np.ndarray

    def own_distance(self) -> np.ndarray:
        """(n,) squared distance of each vector from the mean of the others."""
        n = self.axes.size
        return (n / (n - 1)) ** 2 * self._own / (1 - self.c3 * self._own)

    def distance_from(self, offset: np.ndarray, beside: float) -> np.ndarray:
        """(n,) squared distances from a point at `offset` (r,) in the span and root `beside` off it."""
        w = self.z - offset
        cross = row_dots(w, self._scaled)
        if self.axes.removed is None:
            np.square(w, out=w)
            plain = row_dots(w, self._inverse)
        else:
            scaled = self._inverse * w
            across = scaled @ self.axes.removed.T
            plain = row_dots(w, scaled) + row_dots(across, self._solved(across))
            cross = cross + row_dots(across, self._own_solved)
        if beside > 0:
            plain = plain + beside / self.c2
        return plain + self.c3 * cross**2 / (1 - self.c3 * self._own)  # Sherman-Morrison

    @cached_property
    def _inverse(self) -> np.ndarray:
        """(n, r) eigenvalues of (c1 S + c2 I)^-1."""
        result = self.c1[:, None] * (self.axes.scatter / self.axes.size)
        result += self.c2[:, None]
        return np.divide(1.0, result, out=result)

    @cached_property
    def _scaled(self) -> np.ndarray:
        """(n, r): that times z."""
        return self._inverse * self.z

    @cached_property
    def _own(self) -> np.ndarray:
        """(n,) z^T (c1 S + c2 I)^-1 z."""
        own = row_dots(self._scaled, self.z)
        return own if self.axes.removed is None else own + row_dots(self._across, self._own_solved)

    @cached_property
    def _across(self) -> np.ndarray:
        """(n, p) U (c1 diag(scatter) / R + c2 I)^-1 z."""
        return self._scaled @ self.axes.removed.T

    @cached_property
    def _own_solved(self) -> np.ndarray:
        """(n, p): `_solved` of `_across`."""
        return self._solved(self._across)

    def _solved(self, across: np.ndarray) -> np.ndarray:
        """(n, p): c (I - c U (c diag(scatter) + c2 I)^-1 U^T)^-1 of each of these, c = c1 / R (Woodbury)."""
        share = self.c1[:, None] / self.axes.size
        return share * np.linalg.solve(self._small, across[..., None])[..., 0]

    @cached_property
    def _small(self) -> np.ndarray:
        """(n, p, p) the matrices of `_solved`."""
        u = self.axes.removed
        first, second = np.tril_indices(len(u))
        values = (self._inverse @ (u[first] * u[second]).T) * (-self.c1[:, None] / self.axes.size)
        result = np.empty((len(self.z), len(u), len(u)))
        result[:, first, second] = result[:, second, first] = values
        result[:, np.arange(len(u)), np.arange(len(u))] += 1.0
        return result


def left_out(axes: Spectrum, count: int | None = None) -> LeftOut:
    """Exact leave-one-out covariances of the first vectors (default: all), each in O(r).

    Removing one vector is an update of rank one. Without vector i, (n - 1) S_i = n S - n / (n - 1) z z^T;
    trace, |S_i|^2 and the fourth moments follow from the coordinates, so that rho is that of the remaining
    vectors too.
    """
    size, p = axes.size, axes.dimensions
    n = size - 1
    z, g = axes.coordinates[:count], axes.squares[:count]
    _require_others(n)
    a, b = size / n, size / n**2
    of_all = _moments(axes, axes.removed, size)
    zsz = np.square(z) @ (axes.scatter / size)
    if axes.removed is not None:
        zsz -= np.square(z @ axes.removed.T).sum(axis=1) / size
    trace = a * of_all[0] - b * g
    square = a**2 * of_all[1] - 2 * a * b * zsz + (b * g) ** 2
    # |z_j + z_i / n|^4 summed over j != i, expanded; the sum of the z_j is zero.
    dot = z @ (axes.squares @ axes.coordinates)
    fourth = (
        np.square(axes.squares).sum()
        + 4 / n * dot
        + 4 / n**2 * size * zsz
        + 2 / n**2 * g * axes.squares.sum()
        + size * g**2 / n**4
        - (g * (1 + 1 / n) ** 2) ** 2
    )
    rho = shrinkage(n, p, trace, square, fourth)
    c2 = rho * trace / p
    _require_inverse(c2, axes, n)
    return LeftOut(axes, z, (1 - rho) * a, c2, (1 - rho) * b)


def own_distances(axes: Spectrum, owners: np.ndarray, clips: int) -> np.ndarray:
    """(N,) squared distance of each clip from the mean of the references that remain without it.

    The first N references are the clips themselves. A clip that owns one reference is an update of rank one;
    where it owns several, the update has as many ranks, and one more for the mean.
    """
    owned = np.bincount(owners[owners != NOBODY], minlength=clips)
    result = left_out(axes, clips).own_distance()
    several = np.flatnonzero(owned > 1)
    missing = [axes.without(np.flatnonzero((owners == clip).any(axis=1))) for clip in several]
    if not missing:
        return result
    along = axes.coordinates @ np.stack([one.shift for one in missing]).T
    for clip, one, dots in zip(several, missing, along.T, strict=True):
        result[clip] = _without(axes, one, axes.coordinates[clip], dots)
    return result


def _without(axes: Spectrum, missing: Missing, point: np.ndarray, along: np.ndarray) -> float:
    """Squared distance of a point in the span from the mean of all vectors but some, by Woodbury's identity.

    `along` (R,) are the products of what is missing in sum with all vectors.
    """
    n, p, u, shift = axes.size - len(missing.rows), axes.dimensions, missing.removed, missing.shift
    _require_others(n)
    trace, square = _moments(axes, u, n)
    lengths = axes.squares + 2 / n * along + np.square(shift).sum() / n**2
    fourth = np.square(lengths).sum() - np.square(lengths[missing.rows]).sum()
    rho = float(shrinkage(n, p, trace, square, fourth))
    beside = rho * trace / p
    _require_inverse(np.array([beside]), axes, n)
    eigenvalues = (1 - rho) * axes.scatter / n + beside
    away = point + shift / n
    across = u / eigenvalues
    small = np.eye(len(u)) * n / (1 - rho) - across @ u.T if rho < 1 else np.eye(len(u))
    correction = across @ away
    plain = float((np.square(away) / eigenvalues).sum())
    return plain + float(correction @ np.linalg.solve(small, correction)) * (rho < 1)


def _require_others(n: int) -> None:
    if n < 3:
        raise DataError(
            "bank",
            f"leaves {n} clip(s) when one is left out, too few for a shrunk covariance",
            "Give a bank of four clips or more, or choose backend knn.",
        )


def _require_inverse(beside: np.ndarray, axes: Spectrum, n: int) -> None:
    """Off the span of the vectors only the shrinkage keeps the covariance invertible."""
    spanned = axes.full and n > axes.dimensions
    if not spanned and not (beside > 1e-14 * axes.scatter[0] / axes.size).all():
        raise DataError(
            "bank",
            f"of {n} clips in {axes.dimensions} dimensions has a singular covariance that "
            "Ledoit-Wolf does not shrink",
            "Give more train clips, or choose backend knn.",
        )
