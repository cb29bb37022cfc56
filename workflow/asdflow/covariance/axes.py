"""Principal axes of a set of vectors, from the smaller of Gram and covariance matrix.

D may be 6144 with a thousand clips: nothing here is D x D unless D is the smaller number. Everything that a
covariance backend needs afterwards happens in the coordinates of the axes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asdflow.covariance.points import Points
from asdflow.foundation.errors import DataError
from asdflow.geometry.linear import product, row_dots
from asdflow.geometry.neighbours import as_slice
from asdflow.references.bank import Bank
from asdflow.references.mixtures import MixedReferences
from asdflow.references.recipes import Recipe
from asdflow.references.references import References

#: Axes whose scatter is below this share of the largest are noise of the decomposition.
NOISE = 1e-13


#: Points to their coordinates (M, r), and their squared distance (M,) from the span.
Projection = Callable[[Points], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Missing:
    """Vectors that are taken away from those of a spectrum.

    Attributes
    ----------
    rows : (m,) int
    shift : (r,) float64
        Their sum.
    removed : (p, r) float64
        U: the scatter that remains, about the mean that remains, is diag(scatter) - U^T U.
    """

    rows: np.ndarray
    shift: np.ndarray
    removed: np.ndarray


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Axes of R vectors around their mean, or axes in which their scatter is diagonal but for few vectors.

    Attributes
    ----------
    scatter : (r,) float64
        Sums of squares along the axes, descending, all positive: eigenvalues of Z^T Z, Z the centred vectors.
    coordinates : (R, r) float64
        Z in the axes.
    dimensions : int
        Dimensions D of the space.
    projection : callable
    removed : (p, r) float64, or None
        U where Z^T Z = diag(scatter) - U^T U: the vectors are a `part` of those whose axes these are.
    recipe : Recipe, or None
        How the vectors are mixed from the first of them, which are the bank's clips; None: these are all.
    """

    scatter: np.ndarray
    coordinates: np.ndarray
    dimensions: int
    projection: Projection
    removed: np.ndarray | None = None
    recipe: Recipe | None = None

    @property
    def size(self) -> int:
        """Number of vectors R."""
        return len(self.coordinates)

    @property
    def full(self) -> bool:
        """The axes span the whole space."""
        return len(self.scatter) == self.dimensions

    def project(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates (M, r) of points, and squared distances (M,) from the span; not to be written to."""
        if points.queries is None:
            return self.projection(points)
        return points.queries.remember(("projected", self), lambda: self.projection(points))

    @cached_property
    def squares(self) -> np.ndarray:
        """(R,) squared distances from the mean."""
        return row_dots(self.coordinates, self.coordinates)

    def without(self, rows: np.ndarray) -> Missing:
        """What is missing without some of the vectors; backends share it."""
        key = rows.tobytes()
        if key not in self._missing:
            self._missing[key] = self._found_missing(rows)
        return self._missing[key]

    @cached_property
    def _missing(self) -> dict[bytes, Missing]:
        return {}

    def _found_missing(self, rows: np.ndarray) -> Missing:
        left = self.size - len(rows)
        if self.recipe is None:
            gone = self.coordinates[rows]
            shift = gone.sum(axis=0)
            return Missing(rows, shift, np.concatenate([gone, shift[None] / np.sqrt(left)]))
        # However many they are, they are made of few clips.
        weights = self.recipe.take(rows).matrix(int(self.recipe.parents.max()) + 1)
        used = np.flatnonzero(weights.any(axis=0))
        weights, clips = weights[:, used], self.coordinates[used]
        total = weights.sum(axis=0)
        square, axes = np.linalg.eigh(weights.T @ weights + np.outer(total, total) / left)
        kept = square > 1e-14 * square[-1]
        return Missing(rows, total @ clips, (axes[:, kept] * np.sqrt(square[kept])).T @ clips)

    def part(self, rows: np.ndarray) -> Spectrum:
        """Of some of the vectors, around their own mean, in these axes."""
        missing = self.without(np.delete(np.arange(self.size), rows))
        mean = -missing.shift / len(rows)  # all vectors sum to zero

        def project(points: Points) -> tuple[np.ndarray, np.ndarray]:
            along, beside = self.project(points)
            return along - mean, beside

        return Spectrum(
            self.scatter, self.coordinates[rows] - mean, self.dimensions, project, missing.removed
        )


def of_references(references: References) -> Spectrum:
    """Axes of references; detectors share them."""
    bank = references.bank
    whole = bank.remember("spectrum", lambda: spectrum(bank)) if bank.size > 1 else None
    if isinstance(references, MixedReferences) and whole is not None:
        return references.remember("spectrum", lambda: _mixed(whole, references))
    return whole if whole is not None else spectrum(bank)


def spectrum(bank: Bank, clips: np.ndarray | None = None) -> Spectrum:
    """Axes of all clips or of some. Raises DataError when all are the same, or there is one only."""
    vectors = bank.vectors if clips is None else bank.vectors[as_slice(clips)]
    if not _spread(vectors):
        raise DataError(
            "bank",
            f"holds {len(vectors)} clip(s) without any spread",
            "A covariance needs clips that differ: give more train clips, or choose backend knn.",
        )
    if len(vectors) <= vectors.shape[1]:
        return _from_products(bank, np.arange(bank.size) if clips is None else clips)
    exact = vectors.astype(np.float64)
    mean = exact.mean(axis=0)
    exact -= mean
    values, axes = _decomposed(product(exact.T, exact.T))
    basis = np.ascontiguousarray(axes.T)
    full = len(values) == exact.shape[1]

    def project(points: Points) -> tuple[np.ndarray, np.ndarray]:
        away = points.vectors - mean
        along = points.times(away, basis)
        beside = np.zeros(len(away)) if full else np.square(away).sum(axis=1) - np.square(along).sum(axis=1)
        return along, np.maximum(beside, 0.0)

    return Spectrum(values, product(exact, basis), exact.shape[1], project)


def _from_products(bank: Bank, clips: np.ndarray) -> Spectrum:
    """Axes of clips that are no more than there are dimensions."""
    columns = as_slice(clips)
    square = bank.products().inner[columns][:, columns]
    means = square.mean(axis=1)
    centre = means.mean()  # |m - c|^2, m the mean of these clips and c the centre of the products
    square = square - means[:, None]
    square -= means
    square += centre
    values, axes = _decomposed(square)
    root = np.sqrt(values)
    basis = np.ascontiguousarray(axes.T)
    basis /= root[:, None]
    axes *= root
    full = len(values) == bank.dimensions

    def project(points: Points) -> tuple[np.ndarray, np.ndarray]:
        inner = points.inner[:, columns]
        own = inner.mean(axis=1)  # <x - c, m - c>
        inner = inner - own[:, None]
        inner -= means
        inner += centre
        along = points.times(inner, basis)
        if full:
            return along, np.zeros(len(along))
        beside = points.square - 2 * own + centre - np.square(along).sum(axis=1)
        return along, np.maximum(beside, 0.0)

    return Spectrum(values, axes, bank.dimensions, project)


def _mixed(whole: Spectrum, references: MixedReferences) -> Spectrum:
    """Axes of weighted means of clips, which lie in the span of the clips."""
    mean = references.mixed(whole.coordinates).mean(axis=0)
    values, axes = _decomposed(_scatter(whole, references.recipe, mean))
    basis = np.ascontiguousarray(axes.T)
    coordinates = references.mixed(product(whole.coordinates, basis))
    coordinates -= basis @ mean

    def project(points: Points) -> tuple[np.ndarray, np.ndarray]:
        away, beside = whole.project(points)
        away = away - mean
        along = points.times(away, basis)
        lost = np.square(away).sum(axis=1) - np.square(along).sum(axis=1)
        return along, beside + np.maximum(lost, 0.0)

    return Spectrum(values, coordinates, whole.dimensions, project, recipe=references.recipe)


def _scatter(whole: Spectrum, recipe: Recipe, mean: np.ndarray) -> np.ndarray:
    """(r, r) scatter about their mean of W Z, W the weights of a recipe and Z the clips' coordinates.

    It is Z^T (W^T W) Z less that of the mean. Z^T Z is diagonal, and W^T W is 1 on the diagonal and 0 beside
    it but for the few clips that are mixed with others, are missing, or stand for themselves twice.
    """
    alone = np.count_nonzero(recipe.weights, axis=1) == 1
    itself = recipe.parents[alone, recipe.weights[alone].argmax(axis=1)]
    usual = np.bincount(itself, minlength=whole.size) == 1
    usual[recipe.parents[~alone][recipe.weights[~alone] != 0]] = False
    some = np.flatnonzero(~usual)
    weights = recipe.matrix(whole.size)[:, some]
    change = weights.T @ weights - np.eye(len(some))
    z = whole.coordinates[some]
    result = z.T @ (change @ z)
    result -= np.outer(recipe.size * mean, mean)
    result[np.diag_indices_from(result)] += whole.scatter
    return result


def _spread(vectors: np.ndarray) -> bool:
    """Whether the rows differ by more than rounding."""
    least = np.abs(vectors[0])
    return any(
        (np.abs(row - vectors[0]) > 1e-12 * np.maximum(np.abs(row), least).max()).any() for row in vectors[1:]
    )


def _decomposed(square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, descending, and eigenvectors (C order); those that are noise are left out.

    LAPACK's sign is arbitrary; here the largest component of an axis is positive.
    """
    values, axes = np.linalg.eigh(square)
    values, axes = values[::-1], axes[:, ::-1]
    kept = int(np.count_nonzero(values > NOISE * values[0]))  # they are sorted
    values, axes = values[:kept], axes[:, :kept]
    largest, least = axes.max(axis=0), axes.min(axis=0)
    return values, axes * np.where(largest >= -least, 1.0, -1.0)
