"""Effects: does the backend matter more than the pooling or the encoder?"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, median
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from asdflow.figures import _words, register
from asdflow.figures._colours import INK, MUTED
from asdflow.figures.base import Picture

if TYPE_CHECKING:
    from asdflow.plotting import Sheet
    from asdflow.results import Results

AXES = ("backend", "normalization", "pooling", "layer", "encoder")
DOT = 0.095  # inches between dots that would otherwise touch


@register("effects")
@dataclass(frozen=True)
class Effects(Picture):
    """How far a metric moves when one axis of the grid changes and all others stay.

    For an axis and a machine: mean of |m(a) - m(b)| over all pairs of systems (a, b) that differ on that axis
    alone. A mean over pairs does not grow with the number of members, as a range would, so axes with two and
    with ten members compare. Fusions are left out: they are made of several backends. The noise of the test
    set moves every difference a little, so no effect is exactly 0.
    """

    metric: Annotated[
        Literal["official", "auc_source", "auc_target", "pauc"], Field(description="What moves.")
    ] = "auc_target"

    def paint(self, results: Results, dataset: str) -> Sheet:
        from asdflow import plotting

        metric = self.metric if self.metric in results.terms(dataset) else "official"
        name = _words.metric_name(results, dataset, metric)
        effects = _effects(results, dataset, metric)
        simulated = results.simulated(dataset)
        if not effects:
            return plotting.message(
                f"{dataset}: nothing to compare",
                "No two systems of this study differ on one axis alone, so no axis has an effect to show.",
                simulated,
            )
        ranked = sorted(effects, key=lambda axis: (-fmean(effects[axis].moves.values()), AXES.index(axis)))
        labels = [f"{axis}" for axis in ranked]
        details = [effects[axis].detail for axis in ranked]
        label = (
            max(plotting.widest(labels, plotting.TEXT, True), plotting.widest(details, plotting.SMALL)) + 0.2
        )
        room = plotting.WIDTH - 2 * plotting.EDGE
        width = room - label - 0.1
        # The machine that an axis moves most is named beside its dot, so the scale leaves room for the name.
        most = [max(effects[axis].moves, key=effects[axis].moves.__getitem__) for axis in ranked]
        limit = max(
            100
            * effects[axis].moves[machine]
            * width
            / (width - plotting.text_width(machine, plotting.SMALL) - 0.12)
            for axis, machine in zip(ranked, most, strict=True)
        )
        limit = max(limit, 1.0)
        values = [sorted(100 * value for value in effects[axis].moves.values()) for axis in ranked]
        swarms = [_swarm(row, DOT / width * limit) for row in values]
        heights = [max(0.56, DOT * (1 + max(swarm) - min(swarm)) + 0.34) for swarm in swarms]

        sheet = plotting.Sheet(
            _title(ranked, effects, name),
            f"Dots: mean absolute difference in {name} between two systems that differ on that axis alone, "
            f"one dot a machine; the largest is named. {_words.capital(_words.evidence(results, dataset))}. "
            "Line and number: mean over machines.",
            (room, sum(heights) + 0.46),
            _note(results, dataset, metric, self.metric),
            simulated,
        )
        axes = sheet.panel(label, 0.0, width, sum(heights))
        axes.set_xlim(0, limit)
        axes.set_ylim(sum(heights), 0)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", left=False, labelleft=False)
        axes.grid(axis="x")
        axes.set_xlabel(f"mean absolute difference in {name}, percentage points")
        top = 0.0
        for row, swarm in enumerate(swarms):
            middle = top + (heights[row] - 0.16) / 2
            mean = fmean(values[row])
            reach = DOT * (1 + max(swarm) - min(swarm)) / 2 + 0.05
            for value, level in zip(values[row], swarm, strict=True):
                axes.plot(value, middle + DOT * level, "o", ms=6.0, color=MUTED.light, alpha=0.75, mew=0)
            axes.text(
                values[row][-1] + 0.09 / width * limit, middle + DOT * swarm[-1], most[row],
                fontsize=plotting.SMALL, color=MUTED.light, va="center_baseline",
            )  # fmt: skip
            axes.plot(
                [mean, mean], [middle - reach, middle + reach], color=INK.light, lw=2.2, solid_capstyle="butt"
            )
            axes.text(
                mean, middle + reach + 0.02, f"{mean:.1f}", ha="center", va="top", fontweight="bold",
                fontsize=plotting.TEXT,
            )  # fmt: skip
            sheet.write(
                label - 0.2, middle - 0.02, labels[row], color=INK.light, ha="right", fontweight="bold"
            )
            sheet.write(
                label - 0.2, middle + 0.13, details[row], plotting.SMALL, color=MUTED.light, ha="right"
            )
            top += heights[row]
        return sheet


@dataclass(frozen=True)
class Effect:
    """One axis: mean absolute difference by machine, and what was compared."""

    moves: Mapping[str, float]
    members: int
    pairs: int

    @property
    def detail(self) -> str:
        """E.g. "3 members, 12 pairs"."""
        return f"{self.members} members, {_words.count(self.pairs, 'pair')}"


def _effects(results: Results, dataset: str, metric: str) -> dict[str, Effect]:
    """Effect of every axis on which some pair of systems differs alone."""
    import polars as pl

    rows = results.by_machine(dataset).filter(pl.col("metric") == metric, pl.col("kind") == "detector")
    values: dict[tuple, dict[str, float]] = defaultdict(dict)
    for row in rows.iter_rows(named=True):
        parts = _parts(results.study["detectors"][row["system"]])
        cell = {
            "encoder": row["encoder"],
            "layer": row["layer"],
            "pooling": row["pooling"],
            **parts,
        }
        values[tuple(cell[axis] for axis in AXES)][row["machine"]] = row["value"]
    effects = {}
    for index, axis in enumerate(AXES):
        groups = defaultdict(list)
        for cell in values:
            groups[_others(cell, axis, index)].append(cell)
        pairs = [pair for cells in groups.values() for pair in combinations(sorted(cells), 2)]
        pairs = [(a, b) for a, b in pairs if a[index] != b[index]]
        if pairs:
            moves = {
                machine: fmean(abs(values[a][machine] - values[b][machine]) for a, b in pairs)
                for machine in results.machines(dataset)
            }
            members = len({cell[index] for pair in pairs for cell in pair})
            effects[axis] = Effect(moves, members, len(pairs))
    return effects


def _parts(spec: Mapping[str, Any]) -> dict[str, str]:
    """Backend and normalization of a detector, written so that equal parts are equal strings."""
    several = spec.get("normalization") or {"name": "none"}
    parts = [part for part in (several if isinstance(several, list) else [several]) if part["name"] != "none"]
    return {
        "backend": json.dumps(spec["backend"], sort_keys=True),
        "normalization": json.dumps(parts, sort_keys=True),
    }


def _others(cell: tuple, axis: str, index: int) -> tuple:
    """What two systems must share to differ on an axis alone. Layers belong to their encoder."""
    free = {index} | ({AXES.index("layer")} if axis == "encoder" else set())
    return tuple(value for place, value in enumerate(cell) if place not in free)


def _swarm(values: list[float], reach: float) -> list[int]:
    """Level of each of some sorted dots, 0 on the line, then below and above by turns: none hides another."""
    last: dict[int, float] = {}
    levels = []
    for value in values:
        step = 0
        while True:
            level = (step + 1) // 2 * (1 if step % 2 else -1)
            if level not in last or value - last[level] >= reach:
                break
            step += 1
        last[level] = value
        levels.append(level)
    return levels


def _title(ranked: list[str], effects: Mapping[str, Effect], name: str) -> str:
    means = [100 * fmean(effects[axis].moves.values()) for axis in ranked]
    if len(ranked) == 1:
        return f"Changing the {ranked[0]} moves the {name} by {means[0]:.1f} points on average"
    others = _words.listed(
        [f"the {axis} by {mean:.1f}" for axis, mean in zip(ranked[1:], means[1:], strict=True)]
    )
    return f"Changing the {ranked[0]} moves the {name} by {means[0]:.1f} points on average, {others}"


def _note(results: Results, dataset: str, metric: str, wanted: str) -> str:
    import polars as pl

    notes = ["Fusions are left out. A layer is compared within its encoder."]
    if metric != wanted:
        notes.append("The data set has no target domain, so the official score stands in for the target AUC.")
    cells = results.metrics(dataset).filter(
        pl.col("machine") != "all", pl.col("metric") == metric, pl.col("units") > 0
    )
    if cells.height:
        half = median(50 * (high - low) for low, high in cells.select("low", "high").iter_rows())
        notes.append(
            f"For scale: the {_words.confidence(cells.row(0, named=True))} bootstrap interval of one value "
            f"is about ± {half:.0f} points, so chance alone moves every difference."
        )
    return " ".join(notes)
