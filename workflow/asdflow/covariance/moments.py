"""First and second moments, feature by feature, of references that are clips or means of two clips.

The square of a mean of two clips is w^2 a^2 + 2 w v a b + v^2 b^2, so that sums over many interpolated
references need the clips, their squares, and the product of each two clips that occur together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from asdflow.geometry.neighbours import as_slice
from asdflow.references.mixtures import MixedReferences, plain
from asdflow.references.recipes import Recipe
from asdflow.references.references import References

#: Values of one batch of rows: they stay in the cache with their squares.
BATCH = 2**16


@dataclass(frozen=True)
class Centred:
    """Rows less their mean, in an order that does not depend on the bank's; centred again at each use.

    That takes no longer than reading them from memory in double precision would.

    Attributes
    ----------
    vectors : (N, D) float
    order : (N,) int
    centre : (D,) float64
    """

    vectors: np.ndarray
    order: np.ndarray
    centre: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, order: np.ndarray) -> Centred:
        """Find the mean."""
        total = np.zeros(vectors.shape[1])
        for some in batches(np.arange(len(vectors)), vectors.shape[1]):
            total += vectors[order[some]].sum(axis=0, dtype=np.float64)
        return cls(vectors, order, total / len(vectors))

    def __getitem__(self, some: slice | np.ndarray) -> np.ndarray:
        """(n, D) float64 rows of these places in the order."""
        return self.less_centre(self.vectors[self.order[some]])

    def less_centre(self, vectors: np.ndarray) -> np.ndarray:
        """(n, D) float64: any vectors, as the rows are."""
        away = vectors.astype(np.float64)
        away -= self.centre
        return away


@dataclass(frozen=True)
class Moments:
    """R references as means of the rows of a table, in an order that does not depend on the bank's.

    Attributes
    ----------
    rows : Centred
        N of D features.
    products : (P, D) float64
        Of two rows that are mixed with each other.
    parents, weights : (R, 2) int, float64
        The second weight is 0 where a reference is a row.
    pair : (R,) int
        Which of `products`; anything where there is none.
    order : (R,) int
        Number of each reference in the bank.
    """

    rows: Centred
    products: np.ndarray
    parents: np.ndarray
    weights: np.ndarray
    pair: np.ndarray
    order: np.ndarray

    @classmethod
    def of(cls, references: References) -> Moments:
        """Table of references; those of more than two parents, and their kind, are rows themselves."""
        recipe, bank = plain(references), references.bank
        few = not isinstance(references, MixedReferences)
        few = few or np.count_nonzero(recipe.weights, axis=1).max() <= 2
        if few:
            order = bank.order
            rows = bank.remember("centred rows", lambda: Centred.of(bank.vectors, order))
        else:
            order = references.order
            rows = Centred.of(references.vectors, order)
        if few and isinstance(references, MixedReferences):
            parents, weights = _two(recipe, np.argsort(order))
            order = np.lexsort((weights[:, 0], parents[:, 1], parents[:, 0]))
            return cls._paired(rows, parents[order], weights[order], order)
        itself = np.repeat(np.arange(len(order))[:, None], 2, axis=1)
        return cls._paired(rows, itself, np.tile([1.0, 0.0], (len(order), 1)), order)

    @classmethod
    def _paired(cls, rows: Centred, parents: np.ndarray, weights: np.ndarray, order: np.ndarray) -> Moments:
        """With the products of pairs."""
        both = weights[:, 1] != 0
        pairs, pair = np.unique(parents[both], axis=0, return_inverse=True)
        number = np.zeros(len(order), dtype=np.int64)
        number[both] = pair.ravel()
        products = rows[pairs[:, 0]] * rows[pairs[:, 1]]
        return cls(rows, products, parents, weights, number, order)

    def sums(self, share: np.ndarray) -> np.ndarray:
        """(C, 2 D) sums over references of (R, C) shares times vectors, and times their squares."""
        size, dimensions = self.rows.vectors.shape
        linear = _spread(self.parents, self.weights, share, size)
        square = _spread(self.parents, self.weights**2, share, size)
        result = np.zeros((share.shape[1], 2 * dimensions))
        used = np.flatnonzero(square.any(axis=1))
        for some in batches(used, dimensions):
            rows = self.rows[some]
            result[:, :dimensions] += linear[some].T @ rows
            result[:, dimensions:] += square[some].T @ np.square(rows, out=rows)
        result[:, dimensions:] += self._of_pairs(share).T @ self.products
        return result

    def dots(self, linear: np.ndarray, quadratic: np.ndarray) -> np.ndarray:
        """(R, C): sums over features of (C, D) linear times the vectors and quadratic times their squares."""
        size, dimensions = self.rows.vectors.shape
        of_rows, of_squares = np.empty((size, len(linear))), np.empty((size, len(linear)))
        for some in batches(np.arange(size), dimensions):
            rows = self.rows[some]
            of_rows[some] = rows @ linear.T
            of_squares[some] = np.square(rows, out=rows) @ quadratic.T
        first, second = self.parents.T
        w, v = self.weights.T[:, :, None]
        result = w * of_rows[first] + v * of_rows[second]
        result += w**2 * of_squares[first] + v**2 * of_squares[second]
        if len(self.products):
            result += 2 * w * v * (self.products @ quadratic.T)[self.pair]
        return result

    def _of_pairs(self, share: np.ndarray) -> np.ndarray:
        """(P, C) sums of shares times twice the product of the weights."""
        weight = 2 * self.weights.prod(axis=1)
        count = len(self.products)
        return np.stack(
            [np.bincount(self.pair, weight * column, max(count, 1))[:count] for column in share.T], axis=1
        )


def _two(recipe: Recipe, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(R, 2) parents by their places, ascending, and their weights; the second weight may be 0."""
    heavy = np.argsort(recipe.weights == 0, axis=1, kind="stable")[:, :2]
    parents, weights = (np.take_along_axis(part, heavy, axis=1) for part in (recipe.parents, recipe.weights))
    if parents.shape[1] == 1:
        parents, weights = np.repeat(parents, 2, axis=1), np.pad(weights, ((0, 0), (0, 1)))
    parents = place[parents]
    alone = weights[:, 1] == 0
    parents[alone, 1] = parents[alone, 0]
    turned = np.argsort(parents, axis=1, kind="stable")
    return np.take_along_axis(parents, turned, 1), np.take_along_axis(weights, turned, 1)


def _spread(parents: np.ndarray, weights: np.ndarray, share: np.ndarray, size: int) -> np.ndarray:
    """(size, C): what (R, C) shares of references are in shares of their parents."""
    return np.stack(
        [np.bincount(parents.ravel(), (weights * column[:, None]).ravel(), size) for column in share.T],
        axis=1,
    )


def batches(rows: np.ndarray, dimensions: int, values: int = BATCH) -> Iterator[np.ndarray | slice]:
    """Rows of so many values at a time; a slice where they follow each other, which copies nothing."""
    step = max(1, values // dimensions)
    for start in range(0, len(rows), step):
        yield as_slice(rows[start : start + step])
