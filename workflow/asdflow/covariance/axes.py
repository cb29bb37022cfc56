"""Principal axes of a set of vectors, from the smaller of Gram and covariance matrix.

D may be 6144 with a thousand clips: nothing here is D x D unless D is the smaller number. Everything that a
covariance backend needs afterwards happens in the coordinates of the axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from asdflow.foundation.errors import DataError
from asdflow.foundation.memory import kept
from asdflow.geometry.linear import product, row_dots
from asdflow.references.bank import SOURCE, Bank, Queries
from asdflow.references.references import References

#: Axes whose scatter is below this share of the largest are noise of the decomposition.
NOISE = 1e-13


class Projection(Protocol):
    """Clips to be scored to their coordinates (M, r), and their squared distances (M,) from the span."""

    def __call__(self, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates and squared distances."""


@dataclass(frozen=True, eq=False)
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
    project : Projection
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
        return row_dots(self.coordinates, self.coordinates)

    def without(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(r,) mean of the vectors that remain without some, and their (r, r) scatter about it."""
        gone, left = self.coordinates[rows], self.size - len(rows)
        mean = -gone.sum(axis=0) / left  # all vectors sum to zero
        scatter = -(gone.T @ gone) - left * np.outer(mean, mean)
        scatter[np.diag_indices_from(scatter)] += self.scatter
        return mean, scatter


@dataclass(frozen=True, eq=False)
class FromVectors:
    """Onto axes (r, D) through a mean (D,)."""

    mean: np.ndarray
    axes: np.ndarray

    def __call__(self, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates and squared distances from the span."""
        return turned(queries.vectors.astype(np.float64) - self.mean, self.axes)


@dataclass(frozen=True, eq=False)
class FromProducts:
    """Onto axes that are sums of the bank's clips, by the products <x - c, y - c> with these.

    Attributes
    ----------
    means : (N,) float64
        <m - c, y - c>, m the mean of the bank and c the centre of the products.
    mixtures : (r, N) float64
        Weights of the centred clips in the axes.
    full : bool
        The axes span the whole space.
    """

    means: np.ndarray
    mixtures: np.ndarray
    full: bool

    def __call__(self, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates and squared distances from the span."""
        products, centre = queries.products(), self.means.mean()  # |m - c|^2
        own = products.inner.mean(axis=1)  # <x - c, m - c>
        along = product(products.inner - own[:, None] - self.means + centre, self.mixtures)
        if self.full:
            return along, np.zeros(len(along))
        beside = products.left.square - 2 * own + centre - row_dots(along, along)
        return along, np.maximum(beside, 0.0)


@dataclass(frozen=True, eq=False)
class Within:
    """Onto axes (r', r) through a mean (r,), both in the span of other axes, by the coordinates there."""

    outer: Projection
    mean: np.ndarray
    axes: np.ndarray

    def __call__(self, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates and squared distances from the span."""
        points, beside = self.outer(queries)
        along, lost = turned(points - self.mean, self.axes)
        return along, beside + lost


def turned(away: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(M, r) coordinates of (M, n) vectors along (r, n) axes, and the (M,) squares of what lies beside."""
    along = product(away, axes)
    if axes.shape[0] == axes.shape[1]:
        return along, np.zeros(len(along))
    return along, np.maximum(row_dots(away, away) - row_dots(along, along), 0.0)


@kept
def principal_axes(references: References) -> Spectrum:
    """Axes of references. Raises DataError where nothing differs."""
    clips = axes_of_clips(references.bank)
    if references.clips is not None:
        return clips
    return within(clips, references.mixed(clips.coordinates))  # means of clips lie in the span of the clips


@kept
def axes_of_clips(bank: Bank) -> Spectrum:
    """Axes of the clips of a bank. Raises DataError where nothing differs."""
    _require_spread(bank.vectors)
    return _from_products(bank) if bank.size <= bank.dimensions else _from_vectors(bank.vectors)


@kept
def source_axes(bank: Bank) -> Spectrum:
    """Axes of the source clips, within those of the bank."""
    clips = axes_of_clips(bank)
    return within(clips, clips.coordinates[bank.domain == SOURCE])


def owning_several(references: References) -> Iterator[tuple[int, np.ndarray]]:
    """Clips that take more than one reference away when they are left out, and the numbers of these."""
    for clip in range(references.bank.size):
        rows = np.flatnonzero((references.owners == clip).any(axis=1))
        if len(rows) != 1:
            yield clip, rows


def within(outer: Spectrum, points: np.ndarray) -> Spectrum:
    """Axes of vectors in the span of other axes, given by their coordinates (R', r) there."""
    _require_spread(points)
    mean = points.mean(axis=0)
    away = points - mean
    scatter, axes = _decomposed(away.T @ away)
    return Spectrum(scatter, away @ axes.T, outer.dimensions, Within(outer.project, mean, axes))


def _from_vectors(vectors: np.ndarray) -> Spectrum:
    """From the (D, D) scatter matrix."""
    exact = vectors.astype(np.float64)
    mean = exact.mean(axis=0)
    exact -= mean
    scatter, axes = _decomposed(exact.T @ exact)
    return Spectrum(scatter, exact @ axes.T, exact.shape[1], FromVectors(mean, axes))


def _from_products(bank: Bank) -> Spectrum:
    """From the (N, N) products of the clips."""
    inner = bank.products().inner
    means = inner.mean(axis=1)
    gram = inner - means[:, None] - means + means.mean()
    scatter, axes = _decomposed(gram)
    root = np.sqrt(scatter)
    project = FromProducts(means, axes / root[:, None], len(scatter) == bank.dimensions)
    return Spectrum(scatter, np.ascontiguousarray(axes.T) * root, bank.dimensions, project)


def _require_spread(vectors: np.ndarray) -> None:
    """Raise DataError unless rows differ by more than rounding."""
    first = vectors[0]
    for row in vectors[1:]:
        if (np.abs(row - first) > 1e-12 * np.maximum(np.abs(row), np.abs(first)).max()).any():
            return
    raise DataError(
        "bank",
        f"holds {len(vectors)} clip(s) without any spread",
        "A covariance needs clips that differ: give more train clips, or choose backend knn.",
    )


def _decomposed(square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(r,) eigenvalues, descending, and (r, n) eigenvectors; those that are noise are left out.

    LAPACK's sign is arbitrary; here the largest component of an axis is positive.
    """
    values, axes = np.linalg.eigh(square)
    values, axes = values[::-1], axes[:, ::-1]
    kept = int(np.count_nonzero(values > NOISE * values[0]))  # they are sorted
    values, axes = values[:kept], axes[:, :kept]
    largest, least = axes.max(axis=0), axes.min(axis=0)
    return values, np.ascontiguousarray((axes * np.where(largest >= -least, 1.0, -1.0)).T)
