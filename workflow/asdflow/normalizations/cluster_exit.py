"""Cluster exit detection: a density that stops before the neighbourhood leaves its cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.geometry.compiled import compiled
from asdflow.geometry.neighbours import in_order
from asdflow.normalizations import register
from asdflow.normalizations._density import DensityNormalization, Duplicates, HeldOut
from asdflow.references.density import Changes, Density, Nearest, one_each
from asdflow.references.references import NOBODY, References


@register("cluster_exit")
@dataclass(frozen=True)
class ClusterExit(DensityNormalization):
    """Local density normalization with a neighbourhood that ends where the distances jump.

    With d_1 <= ... <= d_k the distances from y to its nearest other references, rho(y) is the mean of those
    before the first jump: of d_1 .. d_j for the smallest j with d_(j+1) / d_j > t, of all k where there is
    none. t is the given percentile of all these ratios, over all references.

    Source: Wilkinghoff et al., "Mind the Gap: Detecting Cluster Exits" (arXiv 2602.18777). Statistic and
    percentile are an interpretation, of "distance discontinuities" and "a fixed percentile".

    Degenerate input: as density_ratio. Self-scores are exact, the threshold included; where the bank holds
    interpolated references, the threshold stays that of all of them.
    """

    k: Annotated[int, Field(ge=2, description="Nearest other references looked at, at most.")] = 16
    percentile: Annotated[
        float,
        Field(ge=0.0, le=100.0, description="Jumps above this percentile of all jumps end a neighbourhood."),
    ] = 95.0
    form: Annotated[
        Literal["ratio", "difference"], Field(description="Divide by the density, or subtract it.")
    ] = "ratio"
    duplicates: Duplicates = "distinct"
    self_density: HeldOut = "held_out"

    @property
    def divides(self) -> bool:
        """As `form` says."""
        return self.form == "ratio"

    def count(self, references: References) -> int:
        """k."""
        return self.k

    def density(self, references: References, metric: str, bands: int) -> Density:
        """Density up to the first jump."""
        reduce = UpToJump([])
        rule = Nearest(reduce, self.k, f"normalization {self.name}", "k")
        rule.require(references)
        lists = references.neighbours(metric, bands, self.k + 1)
        every = [Jumps.of(jumps(part[:, : self.k])) for part in lists.distance]
        reduce.thresholds.extend(part.percentile(self.percentile) for part in every)
        density = rule.of(references, metric, bands)
        if not one_each(references.owners):
            return density

        def changes() -> list[Changes]:
            return [
                self._changes(lists.index[band], lists.distance[band], references.owners[:, 0], every[band])
                for band in range(bands)
            ]

        return Density(density.full, changes)

    def _changes(self, index: np.ndarray, distance: np.ndarray, owner: np.ndarray, every: Jumps) -> Changes:
        """Densities of one band that differ with a clip left out, the threshold included.

        Leaving out a reference changes the lists that name it and drops its own list. That moves the
        percentile by a few places, and other lists follow where they have a jump between the old threshold
        and the new one.
        """
        k = self.k
        if distance.shape[1] == k:  # there are no more references to fill a list up with
            distance = np.pad(distance, ((0, 0), (0, 1)), constant_values=np.inf)
        row, place = np.nonzero(owner[index[:, :k]] != NOBODY)
        gone = index[row, place]
        entered = jumps_entered(distance, row, place)
        thresholds = every.percentile_without(self.percentile, gone, row, place, entered)
        moved_gone, moved_row = every.between(every.percentile(self.percentile), thresholds, gone, row)
        there = owner[moved_gone] != NOBODY
        moved_gone, moved_row = moved_gone[there], moved_row[there]
        return Changes.of(
            owner[np.concatenate([gone, moved_gone])],
            np.concatenate([row, moved_row]),
            np.concatenate(
                [
                    means_to_jump(distance, row, place, thresholds[gone], k),
                    means_to_jump(distance, moved_row, np.full(len(moved_row), k), thresholds[moved_gone], k),
                ]
            ),
        )


@dataclass(frozen=True)
class UpToJump:
    """Mean distance before the first jump above the threshold of the band."""

    thresholds: list[float]

    def full(self, ascending: np.ndarray, band: int | None = None) -> np.ndarray:
        """Densities of ascending distances; without `band` the first axis is all bands."""
        if band is not None:
            return mean_to_jump(ascending, self.thresholds[band])
        return np.stack([mean_to_jump(part, t) for part, t in zip(ascending, self.thresholds, strict=True)])

    def dropped(self, ascending: np.ndarray, count: int) -> np.ndarray:
        """Not used: the threshold changes with the list."""
        raise NotImplementedError("leaving a reference out moves the threshold too")


@dataclass(frozen=True)
class Jumps:
    """The jumps of all lists of one band, and in order of size.

    Attributes
    ----------
    every : (R, k - 1) float64
        NaN where a list has none.
    order : (n,) int
        Flat places of the jumps that are there, ascending.
    ascending : (n,) float64
    """

    every: np.ndarray
    order: np.ndarray
    ascending: np.ndarray

    @classmethod
    def of(cls, every: np.ndarray) -> Jumps:
        """Sort the jumps; NaN are sorted to the end and dropped, infinity is a jump."""
        order = np.argsort(every, axis=None)[: np.count_nonzero(~np.isnan(every))]
        return cls(every, order, every.ravel()[order])

    def percentile(self, percentile: float) -> float:
        """Percentile of all jumps, interpolated; infinite where there is none."""
        total = np.array([len(self.ascending)])
        rank, share = _position(total, percentile)
        if not total[0]:
            return np.inf
        return float(_interpolated(self.ascending[rank], self.ascending[rank + (share > 0)], share)[0])

    def percentile_without(
        self, percentile: float, gone: np.ndarray, row: np.ndarray, place: np.ndarray, entered: np.ndarray
    ) -> np.ndarray:
        """(R,) percentiles when each reference is left out.

        Parameters
        ----------
        gone, row, place : (n,) int
            Reference `gone` is the neighbour number `place` of `row`.
        entered : (n, 2) float64
            As `jumps_entered` gives them.
        """
        size, last = self.every.shape[0], self.every.shape[1] - 1
        whose, away = [np.repeat(np.arange(size), last + 1)], [self.every.ravel()]
        for some, at in ((place > 0, place - 1), (place <= last, place)):  # the jumps on both of its sides
            whose.append(gone[some])
            away.append(self.every[row[some], at[some]])
        removed = Labelled.of(np.concatenate(whose), np.concatenate(away))
        added = Labelled.of(np.repeat(gone, 2), entered.ravel())
        total = len(self.ascending) - removed.number(size) + added.number(size)
        rank, share = _position(total, percentile)
        low, high = self._selected((rank, rank + (share > 0)), removed, added)
        return np.where(total > 0, _interpolated(low, high, share), np.inf)

    def between(
        self, old: float, new: np.ndarray, gone: np.ndarray, row: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (reference, other row) where the row has a jump between the old threshold and the new one.

        Pairs of `gone` and `row`, whose lists have changed themselves, are left out.
        """
        low, high = (
            np.searchsorted(self.ascending, edge(old, new), side="right") for edge in (np.minimum, np.maximum)
        )
        order = in_order(gone)
        ends = np.searchsorted(gone[order], np.arange(len(new) + 1))
        rows = self.order // self.every.shape[1]
        pairs = np.empty((int((high - low).sum()), 2), dtype=np.int64)
        return tuple(pairs[: _between(rows, low, high, ends, row[order], pairs)].T)

    def _selected(
        self, ranks: Sequence[np.ndarray], removed: Labelled, entered: Labelled
    ) -> list[np.ndarray]:
        """(R,) for each rank its value among all jumps less the removed ones, with the entered ones."""
        window = self._window(ranks, removed, entered)
        if window is None:
            return [np.full(len(rank), np.inf) for rank in ranks]
        size, (least, largest) = len(ranks[0]), window
        before = np.searchsorted(self.ascending, least) + entered.below(least, size)
        before -= removed.below(least, size)
        removed, entered = removed.within(least, largest), entered.within(least, largest)
        inside = slice(
            np.searchsorted(self.ascending, least), np.searchsorted(self.ascending, largest, side="right")
        )
        values = np.sort(np.concatenate([self.ascending[inside], entered.value]))
        below = np.searchsorted(self.ascending[inside], values, side="right")
        out, into = np.searchsorted(values, removed.value), np.searchsorted(values, entered.value)
        result, low = [], np.zeros(size, dtype=np.int64)
        for rank in ranks:  # ascending, so that each search begins where the last one ended
            high = np.full(size, len(values) - 1)
            while (low < high).any():
                middle = (low + high) // 2
                count = before + below[middle]
                count += np.bincount(entered.label, into <= middle[entered.label], size).astype(np.int64)
                count -= np.bincount(removed.label, out <= middle[removed.label], size).astype(np.int64)
                enough = count > rank
                low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
                low = np.minimum(low, high)
            result.append(values[low])
        return result

    def _window(
        self, ranks: Sequence[np.ndarray], removed: Labelled, entered: Labelled
    ) -> tuple[float, float] | None:
        """Least and largest value that may have one of these ranks; None where there are no values.

        A rank moves down by no more places than values enter, and up by no more than are removed.
        """
        size, count = len(ranks[0]), len(self.ascending)
        low = int((ranks[0] - entered.number(size)).min())
        high = int((ranks[-1] + removed.number(size)).max())
        everything = [part for part in (self.ascending, entered.value) if len(part)]
        if not everything:
            return None
        least = self.ascending[low] if 0 <= low < count else min(part.min() for part in everything)
        largest = self.ascending[high] if high < count else max(part.max() for part in everything)
        return float(least), float(largest)


@dataclass(frozen=True)
class Labelled:
    """(n,) values, and the reference each belongs to."""

    label: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, label: np.ndarray, value: np.ndarray) -> Labelled:
        """Without the values that are NaN, which stand for no jump."""
        there = ~np.isnan(value)
        return cls(label[there], value[there])

    def number(self, size: int) -> np.ndarray:
        """(size,) values of each reference."""
        return np.bincount(self.label, minlength=size)

    def below(self, value: float, size: int) -> np.ndarray:
        """(size,) values of each reference that are smaller."""
        return np.bincount(self.label[self.value < value], minlength=size)

    def within(self, least: float, largest: float) -> Labelled:
        """Values from `least` to `largest`."""
        here = (self.value >= least) & (self.value <= largest)
        return Labelled(self.label[here], self.value[here])


def jumps(ascending: np.ndarray) -> np.ndarray:
    """(R, k - 1) ratios of consecutive distances; 1 between copies, NaN beyond the last neighbour."""
    near, far = ascending[:, :-1], ascending[:, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(far == near, 1.0, far / near)
    return np.where(np.isinf(far), np.nan, ratio)


def mean_to_jump(ascending: np.ndarray, threshold: float) -> np.ndarray:
    """(R,) mean of each row's distances before its first jump above the threshold; NaN if none is left."""
    rows, k = np.arange(len(ascending)), ascending.shape[1]
    return means_to_jump(ascending, rows, np.full(len(rows), k), np.full(len(rows), threshold), k)


def means_to_jump(
    ascending: np.ndarray, row: np.ndarray, place: np.ndarray, threshold: np.ndarray, k: int
) -> np.ndarray:
    """(n,) `mean_to_jump` of the first k distances of rows without the entry at a place (none: k)."""
    result = np.empty(len(row))
    _means_to_jump(np.ascontiguousarray(ascending), row, place, threshold, k, result)
    return result


def jumps_entered(ascending: np.ndarray, row: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(n, 2) jumps that come into the list of a row when the entry at a place is dropped; NaN for none.

    The entries on both of its sides become neighbours, and one more comes in at the end. Rows have one
    distance more than the list has.
    """
    result = np.empty((len(row), 2))
    _jumps_entered(np.ascontiguousarray(ascending), row, place, result)
    return result


@compiled(lambda ascending, row, *_: 2 * len(row))
def _jumps_entered(ascending, row, place, out):
    """Write `jumps_entered`."""
    k = ascending.shape[1] - 1
    for i in range(len(row)):
        r, p = row[i], place[i]
        for side in range(2):
            near, far = (p - 1, p + 1) if side == 0 else (k - 1, k)
            if near < 0 or (side == 1 and p > k - 2) or np.isinf(ascending[r, far]):
                out[i, side] = np.nan
            elif ascending[r, far] == ascending[r, near]:
                out[i, side] = 1.0
            else:
                out[i, side] = ascending[r, far] / ascending[r, near]


@compiled(lambda ascending, row, *_: row.size * ascending.shape[1])
def _means_to_jump(ascending, row, place, threshold, k, out):
    """Write `means_to_jump`."""
    for i in range(len(row)):
        total, number, before = 0.0, 0, -1.0
        stop = min(ascending.shape[1], k + 1 if place[i] < k else k)
        for j in range(stop):
            if j == place[i]:
                continue
            distance = ascending[row[i], j]
            if np.isinf(distance):
                break
            jump = 1.0 if distance == before else distance / before
            if before >= 0 and jump > threshold[i]:
                break
            total += distance
            number += 1
            before = distance
        out[i] = total / number if number > 0 else np.nan


@compiled(lambda rows, low, high, ends, named, pairs: len(named) + len(pairs))
def _between(rows, low, high, ends, named, pairs):
    """Write pairs of a reference and the rows of its part of the jumps, each once; returns how many.

    `named[ends[g] : ends[g + 1]]` are rows that are left out for reference g, and so is g itself.
    """
    seen = np.full(len(low), -1)
    found = 0
    for g in range(len(low)):
        seen[g] = g
        for j in range(ends[g], ends[g + 1]):
            seen[named[j]] = g
        for j in range(low[g], high[g]):
            if seen[rows[j]] != g:
                seen[rows[j]] = g
                pairs[found, 0], pairs[found, 1] = g, rows[j]
                found += 1
    return found


def _position(total: np.ndarray, percentile: float) -> tuple[np.ndarray, np.ndarray]:
    """Rank, from 0, of the percentile of so many sorted values, and how far it lies towards the next."""
    position = np.maximum(total - 1, 0) * percentile / 100
    rank = position.astype(np.int64)
    return rank, position - rank


def _interpolated(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> np.ndarray:
    """low + share (high - low), which is low where there is no share or no difference, infinite or not."""
    with np.errstate(invalid="ignore"):
        return np.where((share > 0) & (high != low), low + (high - low) * share, low)
