"""Weighted means of columns, by the shape of the weights: one parent, two, or many.

A matrix has one column a clip, the result one a reference. Which blocks a recipe falls into decides how fast
it is mixed, not what comes out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from asdflow.linear import product
from asdflow.mixed_distances import UNIT, in_units, squared
from asdflow.neighbours import as_slice
from asdflow.recipes import Recipe

#: Consecutive references with one common parent that make a block of their own.
RUN = 16

Columns = slice | np.ndarray


@dataclass(frozen=True)
class Single:
    """References that are clips."""

    columns: Columns
    parents: Columns

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        """Write means of columns of (M, N) into (M, references)."""
        out[...] = values[:, self.parents]

    def offsets(self, distances: np.ndarray, metric: str) -> float:
        """A clip is where it is: 0."""
        return 0.0


@dataclass(frozen=True)
class Pair:
    """References between two clips. `common` is one clip for all of them, or one a reference."""

    columns: Columns
    common: int | np.ndarray
    other: Columns
    share: np.ndarray

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        """Write means of columns of (M, N) into (M, references)."""
        if isinstance(self.common, np.ndarray):
            np.multiply(values[:, self.common], self.share, out=out)
        else:
            np.multiply(values[:, self.common, None], self.share, out=out)
        out += values[:, self.other] * (1 - self.share)

    def offsets(self, distances: np.ndarray, metric: str) -> np.ndarray:
        """1/2 sum_pq w_p w_q |b_p - b_q|^2 of each reference, from (N, N) distances."""
        return self.share * (1 - self.share) * squared(distances[self.common, self.other], metric)


@dataclass(frozen=True)
class Many:
    """References of more than two clips: a matrix product with (references, N) weights."""

    columns: Columns
    weights: np.ndarray

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        """Write means of columns of (M, N) into (M, references)."""
        out[...] = product(values, self.weights)

    def offsets(self, distances: np.ndarray, metric: str) -> np.ndarray:
        """1/2 sum_pq w_p w_q |b_p - b_q|^2 of each reference, from (N, N) distances."""
        square = in_units(distances, metric)
        across = product(square, self.weights)  # square is symmetric
        return 0.5 * UNIT[metric] * np.einsum("rn,nr->r", self.weights, across)


Block = Single | Pair | Many


def blocks(recipe: Recipe, size: int) -> Iterator[Block]:
    """Blocks that cover all references of a recipe over `size` clips."""
    used = (recipe.weights != 0).sum(axis=1)
    order = np.argsort(recipe.weights == 0, axis=1, kind="stable")
    parents = np.take_along_axis(recipe.parents, order, axis=1)
    weights = np.take_along_axis(recipe.weights, order, axis=1)
    single, many = np.flatnonzero(used == 1), np.flatnonzero(used > 2)
    if len(single):
        yield Single(as_slice(single), as_slice(parents[single, 0]))
    pairs = np.flatnonzero(used == 2)
    if len(pairs):
        ends = np.flatnonzero(np.diff(parents[pairs, 0]) != 0) + 1
        runs = np.split(pairs, ends)
        for run in runs:
            if len(run) >= RUN:
                yield Pair(as_slice(run), int(parents[run[0], 0]), as_slice(parents[run, 1]), weights[run, 0])
        rest = np.concatenate([np.zeros(0, dtype=np.int64), *(run for run in runs if len(run) < RUN)])
        if len(rest):
            yield Pair(as_slice(rest), parents[rest, 0], as_slice(parents[rest, 1]), weights[rest, 0])
    if len(many):
        yield Many(as_slice(many), recipe.take(many).matrix(size))
