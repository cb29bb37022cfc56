"""The nearest references of each point, without all of its distances.

Ten target clips mixed with a thousand source clips make ten thousand references, in each of eight bands: the
distances of a bank to them are a hundred million numbers of which only the smallest of each row are looked
at. Most need not be made: mixtures with one common clip, in which they are at a, are at least as far as

    min of the factor of a * |x - a|^2 + min of the other factor * (least distance to any clip)^2 - max shift

and where that is more than what was found elsewhere, the row is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from asdflow.compiled import compiled
from asdflow.linear import BLOCK, product
from asdflow.recipes import NOBODY, Recipe

#: Values of the points of one batch.
BATCH = 2**16
#: A bound is taken to be lower by this share of its terms, for their rounding.
ROUNDING = 1e-13

#: Rows and columns, rows ascending.
Entries = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Found:
    """The nearest references of a group.

    Attributes
    ----------
    value : (..., M, k) float64
        Ascending; infinite where there are fewer.
    number : (..., M, k) int
        Of the references.
    """

    value: np.ndarray
    number: np.ndarray

    @classmethod
    def stacked(cls, bands: Sequence[Found]) -> Found:
        """Those of all bands."""
        return cls(np.stack([one.value for one in bands]), np.stack([one.number for one in bands]))


@dataclass(frozen=True)
class Runs:
    """References of two clips at most, or of many, in runs of one group with one common clip.

    Attributes
    ----------
    reference : (R,) int
        Numbers of the references, run by run.
    other : (R,) uint64
        Column of the other parent, or of the only one. References of many clips have columns of their own.
    share : (R,) float64
        Weight of the common parent; 0 where there is none.
    common : (runs,) int
        Column of the common parent; -1 where there is none.
    ends : (runs + 1,) uint64
        Where the runs begin, and where the last one ends.
    straight : (runs,) bool
        The columns of the other parents follow each other: they are read faster than scattered ones.
    group : (runs,) int
        Place of a run's group in `names`.
    names : (groups,) int
    many : (n, N) float64
        Weights of the references that have columns of their own.
    """

    reference: np.ndarray
    other: np.ndarray
    share: np.ndarray
    common: np.ndarray
    ends: np.ndarray
    straight: np.ndarray
    group: np.ndarray
    names: np.ndarray
    many: np.ndarray

    @classmethod
    def of_clips(cls, group: np.ndarray) -> Runs:
        """Of references that are the clips themselves; `group` (R,) int, of each of them."""
        alone = np.arange(len(group))[:, None]
        none = np.full(alone.shape, NOBODY)
        recipe = Recipe(alone, np.ones(alone.shape), none, np.zeros(len(group), dtype=bool), None)
        return cls.of(recipe, len(group), group)

    @classmethod
    def of(cls, recipe: Recipe, size: int, group: np.ndarray) -> Runs:
        """Of references mixed of `size` clips; `group` (R,) int, of each reference."""
        used = np.count_nonzero(recipe.weights, axis=1)
        heavy = np.argsort(recipe.weights == 0, axis=1, kind="stable")[:, :2]
        parents, weights = (
            np.take_along_axis(part, heavy, axis=1) for part in (recipe.parents, recipe.weights)
        )
        common, share = np.where(used == 2, parents[:, 0], -1), np.where(used == 2, weights[:, 0], 0.0)
        other = np.where(used == 2, parents[:, -1], parents[:, 0])
        many = np.flatnonzero(used > 2)
        other[many] = size + np.arange(len(many))
        names, group = np.unique(group, return_inverse=True)
        order = np.lexsort((np.arange(len(used)), common, group))
        new = (np.diff(common[order]) != 0) | (np.diff(group[order]) != 0)
        starts = np.concatenate([[0], np.flatnonzero(new) + 1])
        follows = np.concatenate([np.diff(other[order]) == 1, [True]])
        follows[starts[1:] - 1] = True
        return cls(
            order,
            other[order].astype(np.uint64),
            share[order],
            common[order[starts]],
            np.append(starts, len(order)).astype(np.uint64),
            np.logical_and.reduceat(follows, starts),
            group[order[starts]],
            names,
            recipe.take(many).matrix(size),
        )

    def values(self, square: np.ndarray, affine: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """(M, R) values of all references; parameters as of `nearest`, `square` (M, N)."""
        values = np.empty((len(square), len(self.reference)))
        factors = self._factors(affine)
        _all_values(self._widened(square), self.common, self.ends, self.other, *factors, values)
        result = np.empty_like(values)
        result[:, self.reference] = values
        return result

    def nearest(
        self,
        square: Callable[[slice, np.ndarray], np.ndarray],
        shape: tuple[int, int],
        affine: tuple[np.ndarray, np.ndarray],
        k: int,
        *,
        gone: Entries | None = None,
        least: np.ndarray | None = None,
    ) -> dict[int, Found]:
        """The k smallest values of each group, in each row.

        Parameters
        ----------
        square : callable
            Gives squared distances (rows, N) of points to the clips, one row after the other in memory; may
            write them to memory it is given.
        shape : (M, N)
        affine : (R,) and (R,) float64
            What the mean squared distance to the parents of a reference is multiplied by, at least 0, and
            what is then taken off, for its value.
        gone : optional
            Points, ascending, and references whose value is infinite.
        least : (M,) float64, optional
            At most the squared distance of each point to any parent of any reference that is not gone;
            default: the smallest of its row.
        """
        count, clips = shape
        factors = self._factors(affine)
        bounds = self._least(*factors)
        place = np.empty(len(self.reference), dtype=np.int64)
        place[self.reference] = np.arange(len(place))
        rows, references = gone if gone is not None else (np.zeros(0, dtype=np.int64),) * 2
        taken, ends = place[references], np.searchsorted(rows, np.arange(count + 1))
        value = np.full((count, len(self.names), k), np.inf)
        number = np.zeros(value.shape, dtype=np.int64)
        bounded = (self.common >= 0).any()
        step = max(BLOCK if len(self.many) else 1, BATCH // clips)
        memory = np.empty((step, clips))
        for start in range(0, count, step):
            some = slice(start, min(start + step, count))
            known = self._widened(square(some, memory[: some.stop - start]))
            smallest = np.zeros(len(known)) if least is None else least[some]
            if bounded and least is None:
                smallest = known[:, :clips].min(axis=1)
            _search(
                known,
                smallest,
                self.common,
                self.ends,
                self.straight,
                self.group,
                bounds,
                self.other,
                *factors,
                ends[start : some.stop + 1],
                taken,
                value[some],
                number[some],
            )
        number = self.reference[number]
        return {int(one): Found(value[:, g], number[:, g]) for g, one in enumerate(self.names)}

    def _widened(self, square: np.ndarray) -> np.ndarray:
        """(M, N) squared distances, and those of the references that have columns of their own."""
        if not len(self.many):
            return square
        return np.concatenate([square, product(square, self.many)], axis=1)

    def _factors(self, affine: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(R,) factors of the distances to the other and to the common parent, and shifts."""
        scale, shift = (part[self.reference] for part in affine)
        return (1 - self.share) * scale, self.share * scale, shift

    def _least(self, of_other: np.ndarray, of_common: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """(runs, 3) least factors, and the largest shift."""
        starts = self.ends[:-1].astype(np.int64)
        parts = np.minimum.reduceat(of_other, starts), np.minimum.reduceat(of_common, starts)
        return np.stack([*parts, np.maximum.reduceat(shift, starts)], axis=1)


@compiled
def insert(rows, values, best):
    """Take `values` of these rows (n,) into account among the smallest of each row, (M, k), ascending."""
    k = best.shape[1]
    for i in range(len(rows)):
        row, at = rows[i], k
        while at > 0 and best[row, at - 1] > values[i]:
            if at < k:
                best[row, at] = best[row, at - 1]
            at -= 1
        if at < k:
            best[row, at] = values[i]


@compiled
def _all_values(square, common, ends, other, of_other, of_common, shift, out):
    """Write the values of all rows and references; arguments as of `_search`."""
    for row in range(len(square)):
        for run in range(len(common)):
            to_common = square[row, common[run]] if common[run] >= 0 else 0.0
            for i in range(ends[run], ends[run + 1]):
                out[row, i] = of_other[i] * square[row, other[i]] + of_common[i] * to_common - shift[i]


@compiled
def _search(
    square,
    least,
    common,
    ends,
    straight,
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
    piece = np.uint64(64)
    for row in range(len(square)):
        for j in range(gone_ends[row], gone_ends[row + 1]):
            away[gone[j]] = True
        first[:] = -1
        for run in range(runs):
            to_common = square[row, common[run]] if common[run] >= 0 else 0.0
            of_parents = bounds[run, 0] * least[row] + bounds[run, 1] * to_common
            rounding = ROUNDING * (of_parents + abs(bounds[run, 2]))
            bound[run] = of_parents - bounds[run, 2] - rounding
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
                worst = value[row, g, k - 1]
                for begin in range(ends[run], ends[run + 1], piece):
                    stop = min(begin + piece, ends[run + 1])
                    if straight[run]:
                        # Most pieces hold nothing near, which several values at a time can tell.
                        nearer, column = 0, other[begin] - begin
                        if common[run] < 0:
                            for i in range(begin, stop):
                                nearer += of_other[i] * square[row, column + i] - shift[i] < worst
                        else:
                            for i in range(begin, stop):
                                to_other = of_other[i] * square[row, column + i]
                                nearer += to_other + of_common[i] * to_common - shift[i] < worst
                        if nearer == 0:
                            continue
                    for i in range(begin, stop):
                        one = of_other[i] * square[row, other[i]] + of_common[i] * to_common - shift[i]
                        if one < worst and not away[i]:
                            at = k - 1
                            while at > 0 and value[row, g, at - 1] > one:
                                value[row, g, at] = value[row, g, at - 1]
                                number[row, g, at] = number[row, g, at - 1]
                                at -= 1
                            value[row, g, at] = one
                            number[row, g, at] = i
                            worst = value[row, g, k - 1]
        for j in range(gone_ends[row], gone_ends[row + 1]):
            away[gone[j]] = False
    return seen
