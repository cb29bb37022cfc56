"""Effects: does the backend matter more than the pooling or the encoder?"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from asdflow.figures import register
from asdflow.figures.base import Picture
from asdflow.presentation import words
from asdflow.presentation.colours import GRID, INK, MUTED
from asdflow.presentation.evidence import cautioned, told

if TYPE_CHECKING:
    from asdflow.metrics import Effect
    from asdflow.presentation.plotting import Sheet
    from asdflow.presentation.results import Results

AXES = {
    "backend": ("backend",),
    "normalization": ("normalization",),
    "pooling": ("pooling",),
    "encoder": ("encoder", "layer"),
}
DOT = 0.095  # inches between dots that would otherwise touch
# Over fewer machines no interval is drawn: over two or three it would be the outermost dots.
LEAST_MACHINES = 5


@register("effects")
@dataclass(frozen=True)
class Effects(Picture):
    """How far a metric moves when one axis of the grid changes and all others stay.

    For an axis and a machine: mean of |m(a) - m(b)| over pairs of systems that differ on that axis alone
    (`asdflow.metrics.effects`, statistic `difference`). Unlike a range it does not grow with the number
    of members, so axes of different size compare. Fusions are left out: they are made of several backends.
    The noise of the test set moves every difference a little, so no effect is exactly 0.
    """

    metric: Annotated[
        Literal["official", "auc_source", "auc_target", "pauc"], Field(description="What moves.")
    ] = "auc_target"

    def paint(self, results: Results, dataset: str) -> Sheet:
        from asdflow.presentation import plotting

        metric = self.metric if self.metric in results.terms(dataset) else "official"
        name = words.metric_name(results, dataset, metric)
        simulated = results.simulated(dataset)
        effects = sorted(_effects(results, dataset, metric), key=lambda one: -one.mean("difference"))
        if not effects:
            return plotting.message(
                f"{dataset}: nothing to compare",
                "No two systems of this study differ on one axis alone, so no axis has an effect to show.",
                simulated,
            )
        options = {name: results.study.metrics[name] for name in ("rounds", "confidence")}
        labels = [_axis(results, one.axis) for one in effects]
        details = [f"{one.members} members, {words.count(one.settings, 'setting')}" for one in effects]
        label = plotting.widest(labels, plotting.TEXT, True)
        label = max(label, plotting.widest(details, plotting.SMALL)) + 0.2
        room = plotting.WIDTH - 2 * plotting.EDGE
        width = room - label - 0.1
        moves = [sorted(zip((100 * one.difference).tolist(), one.machines, strict=True)) for one in effects]
        # The machine that an axis moves most is named beside its dot, so the scale leaves room for the name.
        limit = max(
            value * width / (width - plotting.text_width(machine, plotting.SMALL) - 0.12)
            for value, machine in (row[-1] for row in moves)
        )
        limit = max(limit, 1.0)
        swarms = [_swarm([value for value, _ in row], DOT / width * limit) for row in moves]
        heights = [max(0.56, DOT * (1 + max(swarm) - min(swarm)) + 0.34) for swarm in swarms]

        machines = len(results.judged(dataset))
        sheet = plotting.Sheet(
            _title([one.mean("difference") for one in effects], labels, name),
            _lead(name, machines, told(results, dataset), words.coverage(options["confidence"])),
            (room, sum(heights) + 0.46),
            cautioned(results, dataset, *_notes(results, dataset, metric, self.metric, effects, options)),
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
        for row, (one, swarm) in enumerate(zip(effects, swarms, strict=True)):
            middle = top + (heights[row] - 0.16) / 2
            reach = DOT * (1 + max(swarm) - min(swarm)) / 2 + 0.05
            mean = 100 * one.mean("difference")
            ends = one.interval("difference", **options) if machines >= LEAST_MACHINES else None
            if ends:
                low, high = (100 * end for end in ends)
                axes.fill_between(
                    [low, high], middle - reach, middle + reach, color=GRID.light, lw=0, zorder=1
                )
            for (value, _), level in zip(moves[row], swarm, strict=True):
                axes.plot(value, middle + DOT * level, "o", ms=6.0, color=MUTED.light, alpha=0.75, mew=0)
            axes.text(
                moves[row][-1][0] + 0.09 / width * limit, middle + DOT * swarm[-1], moves[row][-1][1],
                fontsize=plotting.SMALL, color=MUTED.light, va="center_baseline",
            )  # fmt: skip
            axes.plot(
                [mean, mean], [middle - reach, middle + reach],
                color=INK.light, lw=2.2, solid_capstyle="butt", zorder=3,
            )  # fmt: skip
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


def _effects(results: Results, dataset: str, metric: str) -> list[Effect]:
    """Effect of every axis on which some pair of systems differs alone."""
    from asdflow.metrics import effects

    detectors = results.study.detectors
    parts = {name: _parts(spec) for name, spec in detectors.items()}
    # Two names for one detector are one member.
    first = {parts[name]: name for name in reversed(detectors)}
    rows = [
        row
        for row in results.metrics(dataset).iter_rows(named=True)
        if row["kind"] == "detector" and first[parts[row["system"]]] == row["system"]
    ]
    table = {name: [row[name] for row in rows] for name in rows[0]}
    for index, name in enumerate(("backend", "normalization")):
        table[name] = [parts[row["system"]][index] for row in rows]
    return effects(table, metric, AXES)


def _parts(spec: Mapping[str, Any]) -> tuple[str, str]:
    """Backend and normalization of a detector, written so that equal parts are equal strings."""
    parts = [part for part in spec["normalization"] if part["name"] != "none"]
    return json.dumps(spec["backend"], sort_keys=True), json.dumps(parts, sort_keys=True)


def _axis(results: Results, axis: str) -> str:
    """Name of an axis; where encoders have several layers, these are members too."""
    if axis != "encoder" or all(len(layers) == 1 for layers in results.layers.values()):
        return axis
    return "layer" if len(results.layers) == 1 else "encoder and layer"


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


def _title(means: list[float], labels: list[str], name: str) -> str:
    if not any(round(100 * mean, 1) for mean in means):
        return f"Changing the {words.listed(labels, 'or')} does not move the {name}"
    first = f"Changing the {labels[0]} moves the {name} by {100 * means[0]:.1f} points on average"
    if len(labels) == 1:
        return first
    rest = [f"the {label} by {100 * mean:.1f}" for label, mean in zip(labels[1:], means[1:], strict=True)]
    return f"{first}, {words.listed(rest)}"


def _lead(name: str, machines: int, rests_on: str, coverage: str) -> str:
    """How to read the picture; the band is there from `LEAST_MACHINES` machines on."""
    what = f"mean absolute difference in {name} between two systems that differ on that axis alone"
    if machines == 1:
        return f"Dot, line and number: {what}. {rests_on}."
    band = (
        f"Band: its {coverage} interval over machines."
        if machines >= LEAST_MACHINES
        else f"{machines} machines are too few for an interval over machines."
    )
    return (
        f"Dots: {what}, one dot a machine; the largest is named. {rests_on}. Line and number: mean over "
        f"machines. {band}"
    )


def _notes(
    results: Results,
    dataset: str,
    metric: str,
    wanted: str,
    effects: list[Effect],
    options: Mapping[str, Any],
) -> list[str]:
    import polars as pl

    from asdflow.metrics import contrast

    notes = []
    by_axis = {one.axis: one for one in effects}
    if {"backend", "pooling"} <= set(by_axis) and by_axis["pooling"].mean("difference") > 0:
        ratio = contrast(by_axis["backend"], by_axis["pooling"], "difference", **options)
        ends = ""
        if len(by_axis["pooling"].machines) >= LEAST_MACHINES and math.isfinite(ratio.high):
            coverage = words.coverage(options["confidence"])
            ends = f" ({coverage} interval over machines {ratio.low:.1f} to {ratio.high:.1f})"
        notes.append(f"Backend over pooling: {ratio.value:.1f} times{ends}.")
    if "fusion" in results.kinds.values():
        notes.append("Fusions are left out.")
    if metric != wanted:
        notes.append(words.stands_in(wanted))
    cells = results.metrics(dataset).filter(
        pl.col("machine") != "all", pl.col("metric") == metric, pl.col("units") > 0
    )
    if cells.height:
        half = median(50 * (high - low) for low, high in cells.select("low", "high").iter_rows())
        coverage = words.confidence(cells.row(0, named=True))
        said = words.width(f"For scale: the {coverage} bootstrap interval of a typical value", half)
        notes.append(f"{said}{', so chance alone moves every difference' if half >= 0.05 else ''}.")
    return notes
