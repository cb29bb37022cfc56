"""Principal axes of a set of vectors, from the smaller of Gram and covariance matrix.

D may be 6144 with a thousand clips: nothing here is D x D unless D is the smaller number. Everything that a
covariance backend needs afterwards happens in the coordinates of the axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asdflow.errors import DataError
from asdflow.linear import product

#: Axes whose scatter is below this share of the largest are noise of the decomposition.
NOISE = 1e-13


@dataclass(frozen=True)
class Spectrum:
    """Axes of R vectors around their mean.

    Attributes
    ----------
    mean : (D,) float64
    scatter : (r,) float64
        Sums of squares along the axes, descending, all positive: eigenvalues of Z^T Z, Z the centred vectors.
    coordinates : (R, r) float64
        Z in the axes.
    """

    mean: np.ndarray
    scatter: np.ndarray
    coordinates: np.ndarray
    _basis: np.ndarray  # (r, D): the axes; or (r, R): what turns products with Z into coordinates
    _centred: np.ndarray | None

    @property
    def size(self) -> int:
        """Number of vectors R."""
        return len(self.coordinates)

    @property
    def dimensions(self) -> int:
        """Dimensions D of the space."""
        return len(self.mean)

    def project(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(M, D) vectors to their coordinates (M, r) and their squared distance (M,) from the span."""
        centred = vectors.astype(np.float64) - self.mean
        along = centred if self._centred is None else product(centred, self._centred)
        coordinates = product(along, self._basis)
        beside = np.square(centred).sum(axis=1) - np.square(coordinates).sum(axis=1)
        if len(self.scatter) == self.dimensions:
            beside[:] = 0.0
        return coordinates, np.maximum(beside, 0.0)

    @cached_property
    def squares(self) -> np.ndarray:
        """(R,) squared distances from the mean."""
        return np.square(self.coordinates).sum(axis=1)


def spectrum(vectors: np.ndarray) -> Spectrum:
    """Axes of (R, D) vectors. Raises DataError when all vectors are the same, or there is one only."""
    vectors = vectors.astype(np.float64)
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    if not (np.abs(centred) > 1e-12 * np.abs(vectors).max()).any():
        raise DataError(
            "bank",
            f"holds {len(vectors)} clip(s) without any spread",
            "A covariance needs clips that differ: give more train clips, or choose backend knn.",
        )
    small = len(vectors) <= vectors.shape[1]
    values, axes = np.linalg.eigh(product(centred, centred) if small else product(centred.T, centred.T))
    values, axes = values[::-1], axes[:, ::-1]
    kept = values > NOISE * values[0]
    values, axes = values[kept], axes[:, kept]
    # One sign, whatever LAPACK chose: the largest component of an axis is positive.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    if small:
        root = np.sqrt(values)
        return Spectrum(mean, values, axes * root, np.ascontiguousarray((axes / root).T), centred)
    basis = np.ascontiguousarray(axes.T)
    return Spectrum(mean, values, product(centred, basis), basis, None)
