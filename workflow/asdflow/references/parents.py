"""Weighted means of clips, by the two clips that most are made of, whatever is averaged: vectors or squares.

A mean of many clips stands beside the clips as one more of them: it is computed once, by a matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asdflow.geometry.compiled import compiled
from asdflow.geometry.linear import product
from asdflow.references.recipes import Recipe


@dataclass(frozen=True)
class Parents:
    """What R references are made of.

    Attributes
    ----------
    common, other : (R,) int
        Both clips of a reference; one of a single clip has no common one (-1), and one of many is number
        N, N + 1, ... instead, N clips being there.
    share : (R,) float64
        Weight of the common one; 0 where there is none.
    many : (n, N) float64
        Weights of the references of many clips.
    """

    common: np.ndarray
    other: np.ndarray
    share: np.ndarray
    many: np.ndarray

    @classmethod
    def of(cls, recipe: Recipe, size: int) -> Parents:
        """Of references mixed of `size` clips."""
        used = np.count_nonzero(recipe.weights, axis=1)
        heavy = np.argsort(recipe.weights == 0, axis=1, kind="stable")[:, :2]
        parents, weights = (
            np.take_along_axis(part, heavy, axis=1) for part in (recipe.parents, recipe.weights)
        )
        two = used == 2
        other = np.where(two, parents[:, -1], parents[:, 0])
        many = np.flatnonzero(used > 2)
        other[many] = size + np.arange(len(many))
        common, share = np.where(two, parents[:, 0], -1), np.where(two, weights[:, 0], 0.0)
        return cls(common, other, share, recipe.take(many).matrix(size))

    @classmethod
    def of_clips(cls, size: int) -> Parents:
        """Of references that are the clips."""
        return cls(np.full(size, -1), np.arange(size), np.zeros(size), np.zeros((0, size)))

    def take(self, numbers: slice | np.ndarray) -> Parents:
        """Of some of the references."""
        return Parents(self.common[numbers], self.other[numbers], self.share[numbers], self.many)

    def of_many(self, square: np.ndarray) -> np.ndarray:
        """(M, n) means of the columns of (M, N) that belong to the references of many clips."""
        return product(square, self.many) if len(self.many) else np.zeros((len(square), 0))

    def factors(self, affine: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(R,) factors of the values of the other and of the common parent, and what is taken off.

        `affine` are what means are multiplied by and what is then taken off, each (R,).
        """
        scale, shift = affine
        return (1 - self.share) * scale, self.share * scale, shift

    def values(
        self, square: np.ndarray, of_many: np.ndarray, affine: tuple[np.ndarray, np.ndarray] | None = None
    ) -> np.ndarray:
        """(M, R) means of the columns of (M, N), changed as `factors` says; `of_many` (M, n)."""
        size = len(self.common)
        affine = (np.ones(size), np.zeros(size)) if affine is None else affine
        result = np.empty((len(square), size))
        _values(widened(square, of_many), self.common, self.other, *self.factors(affine), result)
        return result

    def mixed(
        self, rows: np.ndarray, of_many: np.ndarray, *, squares: bool = False, out: np.ndarray | None = None
    ) -> np.ndarray:
        """(R, n) means of (N, n) rows, or of their squares; `of_many` (n', n) are those of many clips."""
        result = np.empty((len(self.common), rows.shape[1])) if out is None else out
        rows, of_many = np.ascontiguousarray(rows), np.ascontiguousarray(of_many)
        _mix(rows, of_many, self.common, self.other, self.share, squares, result)
        return result


def widened(square: np.ndarray, of_many: np.ndarray) -> np.ndarray:
    """(M, N + n): columns of the clips and of the references of many clips."""
    return np.concatenate([square, of_many], axis=1) if of_many.shape[1] else np.ascontiguousarray(square)


def _values_by_arrays(square, common, other, of_other, of_common, shift, out):
    """As `_values`."""
    np.multiply(square[:, other], of_other, out=out)
    two = np.flatnonzero(common >= 0)
    out[:, two] += of_common[two] * square[:, common[two]]
    out -= shift


def _mix_by_arrays(rows, of_many, common, other, share, squares, out):
    """As `_mix`."""
    many, few = np.flatnonzero(other >= len(rows)), np.flatnonzero(other < len(rows))
    out[many] = of_many[other[many] - len(rows)]
    a, b = rows[np.maximum(common[few], 0)], rows[other[few]]
    if squares:
        a, b = a * a, b * b
    out[few] = share[few, None] * a + (1.0 - share[few, None]) * b


@compiled(lambda square, common, *_: len(square) * len(common), _values_by_arrays)
def _values(square, common, other, of_other, of_common, shift, out):
    """Write the values of all rows and references."""
    for row in range(len(square)):
        for i in range(len(common)):
            to_common = square[row, common[i]] if common[i] >= 0 else 0.0
            out[row, i] = of_other[i] * square[row, other[i]] + of_common[i] * to_common - shift[i]


@compiled(lambda rows, of_many, common, *_: len(common) * rows.shape[1], _mix_by_arrays)
def _mix(rows, of_many, common, other, share, squares, out):
    """Write means of rows, one reference after the other."""
    for i in range(len(common)):
        if other[i] >= len(rows):
            out[i] = of_many[other[i] - len(rows)]
            continue
        rest = 1.0 - share[i]
        first, second = max(common[i], 0), other[i]
        for n in range(rows.shape[1]):
            a, b = rows[first, n], rows[second, n]
            if squares:
                a, b = a * a, b * b
            out[i, n] = share[i] * a + rest * b
