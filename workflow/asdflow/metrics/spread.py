"""How much of what a metric does is due to the backend, to the pooling, to the encoder?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa

from asdflow.foundation import seeds
from asdflow.foundation.errors import DataError
from asdflow.metrics import intervals
from asdflow.metrics.long_table import select

# Axis -> columns of schema "metrics" whose values make a member. A layer counts as an encoder of its own.
AXES: dict[str, tuple[str, ...]] = {
    "encoder": ("encoder", "layer"),
    "pooling": ("pooling",),
    "backend": ("system",),
}


@dataclass(frozen=True)
class Effect:
    """What changing one axis does while all others stay, in units of the metric ([0, 1]).

    A setting is one choice on every other axis. Sections of a machine are averaged.

    Attributes
    ----------
    dataset, axis, metric : str
    members : int
        Members of the axis that are compared.
    settings : int
        Settings of the other axes.
    machines : tuple of str
        n names, sorted.
    range : (n,) float64
        Mean over settings of (largest - smallest value over members), as in arXiv 2606.19269. It grows with
        the number of members, and with the noise of the test set.
    difference : (n,) float64
        Mean over settings and pairs of members of |a - b|. It does not grow with the number of members, so
        axes of different size compare.
    largest : (n,) float64
        Largest range of any setting.
    share : (n,) float64
        Share of the variance over the whole grid that is this axis's main effect (analysis of variance); the
        shares of all axes and their interactions sum to 1. NaN where the grid has holes or nothing varies.
    seed : int
        Of the resamples of machines: the same for all axes of a data set.
    """

    dataset: str
    axis: str
    metric: str
    members: int
    settings: int
    machines: tuple[str, ...]
    range: np.ndarray
    difference: np.ndarray
    largest: np.ndarray
    share: np.ndarray
    seed: int

    def mean(self, statistic: str = "range") -> float:
        """Mean of a statistic over machines."""
        return float(getattr(self, statistic).mean())

    def interval(
        self, statistic: str = "range", rounds: int = 1000, confidence: float = 0.95
    ) -> tuple[float, float] | None:
        """Percentile interval of the mean by resampling machines; it speaks of other machines, not clips.

        None with a single machine, which says nothing about others.
        """
        resampled = self.resampled(statistic, rounds, confidence)
        if resampled is None:
            return None
        low, high = intervals.percentile(resampled, confidence)
        return float(low), float(high)

    def resampled(self, statistic: str, rounds: int, confidence: float) -> np.ndarray | None:
        """(rounds,) means over machines drawn with replacement; None with a single machine."""
        intervals.check(rounds, confidence)
        count = len(self.machines)
        if count < 2:
            return None
        drawn = np.random.Generator(np.random.PCG64(self.seed)).integers(0, count, (rounds, count))
        return getattr(self, statistic)[drawn].mean(axis=1)


@dataclass(frozen=True)
class Ratio:
    """Mean effect of one axis over another's; low and high None with a single machine."""

    first: str
    second: str
    statistic: str
    value: float
    low: float | None
    high: float | None


def effects(
    table: pa.Table | Mapping[str, Sequence],
    metric: str = "auc_target",
    axes: Mapping[str, Sequence[str]] = AXES,
    kinds: Sequence[str] = ("detector",),
    seed_name: str = "effects",
) -> list[Effect]:
    """Effect of each axis on a metric, for every data set.

    Parameters
    ----------
    table : pyarrow.Table or mapping of columns
        Schema "metrics", with further columns where `axes` names them.
    metric : str
        The target AUC is what the domain shift hurts.
    axes : mapping of str to sequence of column names
        Values of these columns make a member of the axis. Together the axes must tell systems apart.
    kinds : sequence of str
        Fusions are left out by default: they are made of several backends.
    seed_name : str
        Seeds the resamples of machines.

    Returns
    -------
    list of Effect
        By data set, then in the order of the axes; an axis without two members to compare is left out.

    Raises
    ------
    DataError
        No row of that metric; two rows of one cell of the grid, so that the axes do not tell systems apart.
    """
    grids: dict[str, dict[tuple[str, str], dict[tuple, float]]] = {}
    for row in select(table, metric, total=False, kinds=kinds):
        place = grids.setdefault(row["dataset"], {}).setdefault((row["machine"], row["section"]), {})
        cell = tuple(tuple(row[name] for name in names) for names in axes.values())
        if cell in place:
            raise DataError(
                f"data set {row['dataset']!r}, machine {row['machine']!r}",
                f"has two values of {metric} for {dict(zip(axes, cell, strict=True))}",
                "Name an axis that tells them apart.",
            )
        place[cell] = row["value"]
    found = []
    for dataset, places in sorted(grids.items()):
        seed = seeds.seed_of(seed_name, "machines", dataset)
        for index, axis in enumerate(axes):
            found += _effect(dataset, axis, index, metric, places, seed)
    return found


def contrast(
    first: Effect, second: Effect, statistic: str = "range", rounds: int = 1000, confidence: float = 0.95
) -> Ratio:
    """How many times more one axis moves the metric than another, with an interval over machines.

    Both effects must be of one data set and the same machines; the same machines are drawn for both. Raises
    DataError otherwise, or when the second effect is 0.
    """
    if (first.dataset, first.machines) != (second.dataset, second.machines):
        raise DataError(
            f"effects of {first.axis!r} and {second.axis!r}",
            f"are of {first.dataset!r} and {second.dataset!r}, or of different machines",
            "Compare two effects of one table.",
        )
    if second.mean(statistic) == 0:
        raise DataError(f"axis {second.axis!r}", "has no effect to compare with", "Leave it out.")
    low = high = None
    top, bottom = (effect.resampled(statistic, rounds, confidence) for effect in (first, second))
    if top is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = (float(end) for end in intervals.percentile(top / bottom, confidence))
    return Ratio(
        first.axis, second.axis, statistic, first.mean(statistic) / second.mean(statistic), low, high
    )


def _effect(
    dataset: str, axis: str, index: int, metric: str, places: Mapping[tuple[str, str], Mapping], seed: int
) -> list[Effect]:
    """The effect of one axis, or nothing where no setting has two members."""
    statistics: dict[str, list[tuple[float, float, float, float]]] = {}
    members: set = set()
    settings: set = set()
    for (machine, _), cells in sorted(places.items()):
        groups: dict[tuple, dict[tuple, float]] = {}
        for cell, value in cells.items():
            groups.setdefault(cell[:index] + cell[index + 1 :], {})[cell[index]] = value
        compared = {setting: group for setting, group in sorted(groups.items()) if len(group) > 1}
        if not compared:
            continue
        members |= {member for group in compared.values() for member in group}
        settings |= set(compared)
        values = [[group[member] for member in sorted(group)] for group in compared.values()]
        ranges = [max(row) - min(row) for row in values]
        moves = [np.mean([abs(a - b) for a, b in combinations(row, 2)]) for row in values]
        statistics.setdefault(machine, []).append(
            (float(np.mean(ranges)), float(np.mean(moves)), max(ranges), _share(cells, index))
        )
    if not statistics:
        return []
    machines = tuple(sorted(statistics))
    means = np.array([np.mean(statistics[machine], axis=0) for machine in machines]).T
    return [Effect(dataset, axis, metric, len(members), len(settings), machines, *means, seed)]


def _share(cells: Mapping[tuple, float], index: int) -> float:
    """Main effect's share of the sum of squares of a complete grid."""
    levels = [sorted({cell[i] for cell in cells}) for i in range(len(next(iter(cells))))]
    if np.prod([len(level) for level in levels]) != len(cells):
        return float("nan")
    grid = np.empty([len(level) for level in levels])
    for cell, value in cells.items():
        grid[tuple(level.index(part) for level, part in zip(levels, cell, strict=True))] = value
    total = ((grid - grid.mean()) ** 2).sum()
    if total == 0:
        return float("nan")
    others = tuple(i for i in range(grid.ndim) if i != index)
    margin = grid.mean(axis=others)
    return float(((margin - grid.mean()) ** 2).sum() * grid.size / len(margin) / total)
