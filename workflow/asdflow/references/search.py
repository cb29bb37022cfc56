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

from asdflow.geometry.compiled import compiled
from asdflow.references.parents import Parents, widened

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
    """References in runs of one group with one common parent.

    Attributes
    ----------
    reference : (R,) int
        Numbers of the references, run by run.
    parents : Parents
        In that order.
    ends : (runs + 1,) uint64
        Where the runs begin, and where the last one ends.
    straight : (runs,) bool
        The other parents follow each other: their columns are read faster than scattered ones.
    group : (runs,) int
        Place of a run's group in `names`.
    names : (groups,) int
    """

    reference: np.ndarray
    parents: Parents
    ends: np.ndarray
    straight: np.ndarray
    group: np.ndarray
    names: np.ndarray

    @classmethod
    def of(cls, parents: Parents, group: np.ndarray) -> Runs:
        """`group` (R,) int, of each reference."""
        names, group = np.unique(group, return_inverse=True)
        order = np.lexsort((np.arange(len(group)), parents.common, group))
        parents = parents.take(order)
        new = (np.diff(parents.common) != 0) | (np.diff(group[order]) != 0)
        starts = np.concatenate([[0], np.flatnonzero(new) + 1])
        follows = np.concatenate([np.diff(parents.other) == 1, [True]])
        follows[starts[1:] - 1] = True
        ends = np.append(starts, len(order)).astype(np.uint64)
        straight = np.logical_and.reduceat(follows, starts)
        return cls(order, parents, ends, straight, group[order[starts]], names)

    def nearest(
        self,
        square: Callable[[slice, np.ndarray], np.ndarray],
        shape: tuple[int, int],
        affine: tuple[np.ndarray, np.ndarray],
        k: int,
        *,
        of_many: np.ndarray | None = None,
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
        of_many : (M, n) float64
            Mean squared distances to the parents of the references of many clips, if there are any.
        gone : optional
            Points, ascending, and references whose value is infinite.
        least : (M,) float64, optional
            At most the squared distance of each point to any parent of any reference that is not gone;
            default: the smallest of its row.
        """
        count, clips = shape
        scale, shift = (part[self.reference] for part in affine)
        factors = self.parents.factors((scale, shift))
        starts = self.ends[:-1].astype(np.int64)
        common, other = self.parents.common[starts], self.parents.other.astype(np.uint64)
        bounds = self._least(starts, *factors)
        place = np.empty(len(self.reference), dtype=np.int64)
        place[self.reference] = np.arange(len(place))
        rows, references = gone if gone is not None else (np.zeros(0, dtype=np.int64),) * 2
        taken, ends = place[references], np.searchsorted(rows, np.arange(count + 1))
        value = np.full((count, len(self.names), k), np.inf)
        number = np.zeros(value.shape, dtype=np.int64)
        step = max(1, BATCH // clips)
        memory, nothing = np.empty((step, clips)), np.zeros((count, 0))
        of_many = nothing if of_many is None else of_many
        for start in range(0, count, step):
            some = slice(start, min(start + step, count))
            known = square(some, memory[: some.stop - start])
            smallest = np.zeros(len(known)) if least is None else least[some]
            if least is None and (common >= 0).any():
                smallest = known.min(axis=1)
            _search(
                widened(known, of_many[some]),
                smallest,
                common,
                self.ends,
                self.straight,
                self.group,
                bounds,
                other,
                *factors,
                ends[start : some.stop + 1],
                taken,
                value[some],
                number[some],
            )
        number = self.reference[number]
        return {int(one): Found(value[:, g], number[:, g]) for g, one in enumerate(self.names)}

    def _least(
        self, starts: np.ndarray, of_other: np.ndarray, of_common: np.ndarray, shift: np.ndarray
    ) -> np.ndarray:
        """(runs, 3) least factors, and the largest shift."""
        parts = np.minimum.reduceat(of_other, starts), np.minimum.reduceat(of_common, starts)
        return np.stack([*parts, np.maximum.reduceat(shift, starts)], axis=1)


@compiled(lambda rows, *_: len(rows))
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


def _search_by_arrays(
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
    """As `_search`, without bounds: looks at everything."""
    ends = ends.astype(np.int64)
    values = square[:, other.astype(np.int64)]
    values *= of_other
    for run in np.flatnonzero(common >= 0):
        part = slice(ends[run], ends[run + 1])
        values[:, part] += of_common[part] * square[:, common[run], None]
    values -= shift
    values[np.isnan(values)] = np.inf
    rows = np.repeat(np.arange(len(square)), np.diff(gone_ends))
    values[rows, gone[gone_ends[0] : gone_ends[-1]]] = np.inf
    for g in range(value.shape[1]):
        runs = np.flatnonzero(group == g)  # one after the other
        first = ends[runs[0]]
        of_group = values[:, first : ends[runs[-1] + 1]]
        k = min(value.shape[2], of_group.shape[1])
        if k == 1:
            place = of_group.argmin(axis=1)[:, None]
        else:
            place = np.sort(np.argpartition(of_group, k - 1, axis=1)[:, :k], axis=1)
        best = np.take_along_axis(of_group, place, axis=1)
        order = np.argsort(best, axis=1, kind="stable")
        best = np.take_along_axis(best, order, axis=1)
        value[:, g, :k] = best
        number[:, g, :k] = np.where(best < np.inf, first + np.take_along_axis(place, order, axis=1), 0)
    return values.size


@compiled(lambda square, *others: 2 * len(square) * len(others[6]), _search_by_arrays)
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
                        nearer, column = 0, other[begin]
                        if common[run] < 0:
                            for i in range(begin, stop):
                                to_other = of_other[i] * square[row, column + (i - begin)]
                                nearer += to_other - shift[i] < worst
                        else:
                            for i in range(begin, stop):
                                to_other = of_other[i] * square[row, column + (i - begin)]
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
