"""Principal axes of a set of vectors, from the smaller of Gram and covariance matrix.

D may be 6144 with a thousand clips: nothing here is D x D unless D is the smaller number. Everything that a
covariance backend needs afterwards happens in the coordinates of the axes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asdflow.errors import DataError
from asdflow.linear import product
from asdflow.mixtures import MixedReferences
from asdflow.references import References

#: Axes whose scatter is below this share of the largest are noise of the decomposition.
NOISE = 1e-13

#: (M, D) vectors to their coordinates (M, r) and their squared distance (M,) from the span.
Projection = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Spectrum:
    """Axes of R vectors around their mean.

    Attributes
    ----------
    scatter : (r,) float64
        Sums of squares along the axes, descending, all positive: eigenvalues of Z^T Z, Z the centred vectors.
    coordinates : (R, r) float64
        Z in the axes.
    dimensions : int
        Dimensions D of the space.
    project : callable
        Vectors of the space to coordinates and what lies beside the span.
    """

    scatter: np.ndarray
    coordinates: np.ndarray
    dimensions: int
    project: Projection

    @property
    def size(self) -> int:
        """Number of vectors R."""
        return len(self.coordinates)

    @property
    def full(self) -> bool:
        """The axes span the whole space."""
        return len(self.scatter) == self.dimensions

    @cached_property
    def squares(self) -> np.ndarray:
        """(R,) squared distances from the mean."""
        return np.square(self.coordinates).sum(axis=1)


def of_references(references: References) -> Spectrum:
    """Axes of references; detectors share them."""
    bank = references.bank
    whole = bank.remember("spectrum", lambda: spectrum(bank.vectors)) if bank.size > 1 else None
    if isinstance(references, MixedReferences) and whole is not None:
        return references.remember("spectrum", lambda: _mixed(whole, references.mixed(whole.coordinates)))
    return whole if whole is not None else spectrum(references.vectors)


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
    dimensions = vectors.shape[1]
    small = len(vectors) <= dimensions
    values, axes = _decomposed(product(centred, centred) if small else product(centred.T, centred.T))
    if small:
        root = np.sqrt(values)
        coordinates, basis = axes * root, np.ascontiguousarray((axes / root).T)
    else:
        basis = np.ascontiguousarray(axes.T)
        coordinates = product(centred, basis)
    full = len(values) == dimensions

    def project(others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        away = others.astype(np.float64) - mean
        along = product(product(away, centred) if small else away, basis)
        beside = np.zeros(len(away)) if full else np.square(away).sum(axis=1) - np.square(along).sum(axis=1)
        return along, np.maximum(beside, 0.0)

    return Spectrum(values, coordinates, dimensions, project)


def _mixed(whole: Spectrum, rows: np.ndarray) -> Spectrum:
    """Axes of weighted means of clips, given in the axes of the clips: they lie in the same span."""
    mean = rows.mean(axis=0)
    centred = rows - mean
    values, axes = _decomposed(product(centred.T, centred.T))
    basis = np.ascontiguousarray(axes.T)

    def project(others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        away, beside = whole.project(others)
        away = away - mean
        along = product(away, basis)
        lost = np.square(away).sum(axis=1) - np.square(along).sum(axis=1)
        return along, beside + np.maximum(lost, 0.0)

    return Spectrum(values, product(centred, basis), whole.dimensions, project)


def _decomposed(square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, descending, and eigenvectors; those that are noise are left out.

    LAPACK's sign is arbitrary; here the largest component of an axis is positive.
    """
    values, axes = np.linalg.eigh(square)
    values, axes = values[::-1], axes[:, ::-1]
    kept = values > NOISE * values[0]
    values, axes = values[kept], axes[:, kept]
    return values, axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
