"""The nearest mixtures of two clips to each point, without all of its distances.

Ten target clips mixed with a thousand source clips make ten thousand references, in each of eight bands: the
distances of a bank to them are a hundred million numbers of which only the smallest of each row are looked
at. Most need not be made: mixtures with one common clip, in which they are at a, are at least as far as

    min of the factor of a * |x - a|^2 + min of the other factor * (least distance to any clip)^2 - max shift

and where that is more than what was found elsewhere, the row is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from asdflow.geometry.compiled import compiled
from asdflow.geometry.linear import IN_CACHE
from asdflow.references.mixed_distances import Affine
from asdflow.references.recipes import Pairs, Recipe

#: A bound is taken to be lower by this share of its terms, for their rounding.
ROUNDING = 1e-13


@dataclass(frozen=True)
class Runs:
    """References that are clips or mixtures of two, in runs of one group with one common parent.

    Attributes
    ----------
    reference : (R,) int
        Numbers of the references, run by run.
    common, group : (runs,) int
        The common parent, -1 in a run of clips; place of the group in `names`.
    ends : (runs + 1,) uint64
        Where the runs begin, and where the last one ends.
    other : (R,) uint64
        The other parent, in that order.
    share : (R,) float64
        Weight of the common one.
    names : (groups,) int
    """

    reference: np.ndarray
    common: np.ndarray
    group: np.ndarray
    ends: np.ndarray
    other: np.ndarray
    share: np.ndarray
    names: np.ndarray

    @classmethod
    def of(cls, recipe: Recipe, group: np.ndarray) -> Runs:
        """`group` (R,) int, of each reference; the recipe has no more than two parents."""
        names, group = np.unique(group, return_inverse=True)
        two = recipe.weights[:, -1] != 0 if recipe.parents.shape[1] == 2 else np.zeros(recipe.size, bool)
        common = np.where(two, recipe.parents[:, 0], -1)
        other = np.where(two, recipe.parents[:, -1], recipe.parents[:, 0])
        share = np.where(two, recipe.weights[:, 0], 0.0)
        order = np.lexsort((np.arange(recipe.size), common, group))
        common, group = common[order], group[order]
        starts = np.flatnonzero(np.r_[True, (np.diff(common) != 0) | (np.diff(group) != 0)])
        ends = np.append(starts, recipe.size).astype(np.uint64)
        other = other[order].astype(np.uint64)
        return cls(order, common[starts], group[starts], ends, other, share[order], names)

    def nearest(
        self,
        squares: Callable[[slice], np.ndarray],
        shape: tuple[int, int],
        affine: Affine,
        k: int,
        gone: Pairs,
        own: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k smallest values of each group for each point.

        Parameters
        ----------
        squares : callable
            Gives mean squared distances (rows, N) of points to the clips.
        shape : (M, N)
        affine : (R,) and (R,) float64
            What the mean squared distance to the parents of a reference is multiplied by, at least 0, and
            what is then taken off, for its value.
        gone : points, ascending, and references whose value is infinite
        own : bool
            The points are the clips, and each takes what it is part of away.

        Returns
        -------
        (M, groups, k) float64 values, ascending, infinite where there are fewer; the same of numbers.
        """
        count, clips = shape
        scale, shift = (part[self.reference] for part in affine)
        of_other, of_common = (1 - self.share) * scale, self.share * scale
        starts = self.ends[:-1].astype(np.int64)
        least_factors = [np.minimum.reduceat(part, starts) for part in (of_other, of_common)]
        bounds = np.stack([*least_factors, np.maximum.reduceat(shift, starts)], axis=1)
        place = np.argsort(self.reference)
        rows, references = gone
        taken, ends = place[references], np.searchsorted(rows, np.arange(count + 1))
        value = np.full((count, len(self.names), k), np.inf)
        number = np.zeros(value.shape, dtype=np.int64)
        step = max(1, IN_CACHE // clips)
        for start in range(0, count, step):
            some = slice(start, min(start + step, count))
            square = np.ascontiguousarray(squares(some))
            least = _least(square, some.start if own else None)
            runs = self.common, self.ends, self.group, bounds
            factors = self.other, of_other, of_common, shift
            away = ends[start : some.stop + 1], taken
            _search(square, least, *runs, *factors, *away, value[some], number[some])
        return value, self.reference[number]


def _least(square: np.ndarray, first: int | None) -> np.ndarray:
    """(rows,) least of each row; of clips from number `first` on, without the clip itself."""
    if first is not None:
        place = np.arange(len(square))
        square = square.copy()
        square[place, first + place] = np.inf
    return square.min(axis=1)


@compiled
def _search(
    square,
    least,
    common,
    ends,
    group,
    bounds,
    other,
    of_other,
    of_common,
    shift,
    gone_ends,
    gone,
    value,
    number,
):
    """Put the smallest values of each row and group, and their places among the runs, into order.

    Runs are visited where they may hold one of the smallest: first, in each group, that with a common clip
    and the least bound. Returns how many values were looked at.
    """
    seen = np.uint64(0)
    runs, groups, k = len(common), value.shape[1], value.shape[2]
    bound = np.empty(runs)
    first = np.empty(groups, np.int64)
    away = np.zeros(len(other), np.bool_)
    for row in range(len(square)):
        for j in range(gone_ends[row], gone_ends[row + 1]):
            away[gone[j]] = True
        first[:] = -1
        for run in range(runs):
            to_common = square[row, common[run]] if common[run] >= 0 else 0.0
            of_parents = bounds[run, 0] * least[row] + bounds[run, 1] * to_common
            bound[run] = of_parents - bounds[run, 2] - ROUNDING * (of_parents + abs(bounds[run, 2]))
            g = group[run]
            if common[run] >= 0 and (first[g] < 0 or bound[run] < bound[first[g]]):
                first[g] = run
        for turn in range(2):
            for run in range(runs):
                g = group[run]
                if (first[g] == run) != (turn == 0) or bound[run] > value[row, g, k - 1]:
                    continue
                to_common = square[row, common[run]] if common[run] >= 0 else 0.0
                seen += ends[run + 1] - ends[run]
                for i in range(ends[run], ends[run + 1]):
                    one = of_other[i] * square[row, other[i]] + of_common[i] * to_common - shift[i]
                    if one < value[row, g, k - 1] and not away[i]:
                        at = k - 1
                        while at > 0 and value[row, g, at - 1] > one:
                            value[row, g, at] = value[row, g, at - 1]
                            number[row, g, at] = number[row, g, at - 1]
                            at -= 1
                        value[row, g, at] = one
                        number[row, g, at] = i
        for j in range(gone_ends[row], gone_ends[row + 1]):
            away[gone[j]] = False
    return seen
