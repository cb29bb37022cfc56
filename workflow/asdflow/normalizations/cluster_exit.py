"""Cluster exit detection: a density that stops before the neighbourhood leaves its cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.density import Density, Nearest, mean_of_finite, one_each
from asdflow.normalizations import register
from asdflow.normalizations._density import DensityNormalization, Duplicates, HeldOut
from asdflow.references import NOBODY, References


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

    def apply(self, distances: np.ndarray, density: np.ndarray) -> np.ndarray:
        """d / rho or d - rho."""
        return distances / density if self.form == "ratio" else distances - density

    def density(self, references: References, metric: str, bands: int) -> Density:
        """Density up to the first jump."""
        thresholds: list[float] = []

        def reduce(ascending: np.ndarray, band: int | None) -> np.ndarray:
            if band is not None:
                return mean_to_jump(ascending, thresholds[band])
            return np.stack([mean_to_jump(part, t) for part, t in zip(ascending, thresholds, strict=True)])

        rule = Nearest(reduce, self.k, f"normalization {self.name}", "k")
        rule.require(references)
        lists = references.neighbours(metric, bands, self.k + 1)
        thresholds += [
            self._percentile(np.sort(jumps(part[:, : self.k]), axis=None)) for part in lists.distance
        ]
        density = rule.of(references, metric, bands)
        if not one_each(references.owners):
            return density

        def without() -> np.ndarray:
            bank = references.bank.size
            return np.stack(
                [
                    self._without(lists.index[band], lists.distance[band], references.owners[:, 0], bank)
                    for band in range(bands)
                ]
            )

        return Density(density.full, without)

    def _percentile(self, ascending: np.ndarray) -> float:
        """Percentile of sorted jumps, interpolated; NaN, which stand for no jump, are sorted to the end."""
        values = ascending[: int(np.searchsorted(ascending, np.inf, side="right"))]
        return _interpolated(values, 0, len(values), self.percentile) if len(values) else np.inf

    def _without(self, index: np.ndarray, distance: np.ndarray, owner: np.ndarray, clips: int) -> np.ndarray:
        """(N, R) densities of one band with each clip left out, the threshold included.

        Leaving out a clip changes the lists that name its reference and drops its own list; the percentile is
        found anew among the jumps around its place, and other lists follow only where they have a jump
        between the old threshold and the new one.
        """
        k, size = self.k, len(distance)
        every = jumps(distance[:, :k])
        order = np.argsort(every, axis=None)
        ascending = every.ravel()[order]
        threshold = self._percentile(ascending)
        full = mean_to_jump(distance[:, :k], threshold)
        result = np.tile(full, (clips, 1))
        named = np.argsort(index[:, :k], axis=None, kind="stable")
        ends = np.searchsorted(index[:, :k].ravel()[named], np.arange(size + 1))
        for reference in np.flatnonzero(owner != NOBODY):
            rows, places = np.divmod(named[ends[reference] : ends[reference + 1]], k)
            changed = _dropped(distance[rows], places, k)
            removed = np.concatenate([every[reference], every[rows].ravel()])
            new = self._replaced(ascending, removed, jumps(changed).ravel())
            low, high = np.searchsorted(ascending, sorted((threshold, new)), side="right")
            moved = np.unique(order[low:high] // (k - 1))
            result[owner[reference], moved] = mean_to_jump(distance[moved, :k], new)
            result[owner[reference], rows] = mean_to_jump(changed, new)
        return result

    def _replaced(self, ascending: np.ndarray, removed: np.ndarray, added: np.ndarray) -> float:
        """Percentile of the sorted values when some are removed and others added."""
        removed = np.sort(removed[~np.isnan(removed)])
        added = np.sort(added[~np.isnan(added)])
        size = int(np.searchsorted(ascending, np.inf, side="right"))
        place = np.searchsorted(ascending, removed)
        place += np.arange(len(removed)) - np.searchsorted(
            removed, removed
        )  # equal values stand side by side
        total = size - len(removed) + len(added)
        if total <= 0:
            return np.inf
        rank = int((total - 1) * self.percentile / 100)
        low, high = max(0, rank - len(added)), min(size, rank + 2 + len(removed))
        kept = np.ones(high - low, dtype=bool)
        kept[place[(place >= low) & (place < high)] - low] = False
        window = np.sort(np.concatenate([ascending[low:high][kept], added]))
        before = low - int((place < low).sum())
        return _interpolated(window, before, total, self.percentile)


def jumps(ascending: np.ndarray) -> np.ndarray:
    """(R, k - 1) ratios of consecutive distances; 1 between copies, NaN beyond the last neighbour."""
    near, far = ascending[:, :-1], ascending[:, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(far == near, 1.0, far / near)
    return np.where(np.isinf(far), np.nan, ratio)


def mean_to_jump(ascending: np.ndarray, threshold: float) -> np.ndarray:
    """(R,) mean of each row's distances before its first jump above the threshold; NaN if none is left."""
    before = np.ones(ascending.shape, dtype=bool)
    before[:, 1:] = np.logical_and.accumulate(~(jumps(ascending) > threshold), axis=1)
    return mean_of_finite(np.where(before, ascending, np.inf))


def _dropped(ascending: np.ndarray, places: np.ndarray, k: int) -> np.ndarray:
    """(rows, k): each row without the entry at its place, filled up by what follows, or by infinity."""
    longer = np.concatenate([ascending[:, : k + 1], np.full((len(ascending), 1), np.inf)], axis=1)
    step = np.arange(k) + (np.arange(k) >= places[:, None])
    return np.take_along_axis(longer, step, axis=1)


def _interpolated(part: np.ndarray, before: int, total: int, percentile: float) -> float:
    """Percentile of `total` sorted values of which `part` follows the first `before`."""
    position = (total - 1) * percentile / 100
    rank = int(position)
    low = part[rank - before]
    if position == rank:
        return float(low)
    return float(low + (part[rank + 1 - before] - low) * (position - rank))
