"""Leaderboard: which system scores best, and which are too close to tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from asdflow.figures import register
from asdflow.figures.base import Picture
from asdflow.presentation import words
from asdflow.presentation.colours import GRID, GROUND, INK, MUTED, marks
from asdflow.presentation.evidence import cautioned, told

if TYPE_CHECKING:
    from asdflow.presentation.plotting import Sheet
    from asdflow.presentation.results import Results

ROW = 0.235  # inches
GAP = 0.16  # between columns of text


@register("leaderboard")
@dataclass(frozen=True)
class Leaderboard(Picture):
    """Official score with its interval, one row a system, best first.

    Only the best systems of each encoder, layer and pooling are shown, so that a good grid does not hide the
    others. The band is the interval of the best system. A row without a line has an interval that is not
    known (no independent units to resample).
    """

    top: Annotated[int, Field(ge=1, description="Best systems shown of each encoder, layer and pooling.")] = 3
    rows: Annotated[int, Field(ge=1, le=60, description="Most rows in the figure.")] = 30

    def paint(self, results: Results, dataset: str) -> Sheet:
        import polars as pl

        from asdflow.presentation import plotting

        table = results.leaderboard(dataset)
        shown = table.filter(pl.int_range(pl.len()).over(["encoder", "layer", "pooling"]) < self.top).head(
            self.rows
        )
        rows = shown.to_dicts()
        best = rows[0]

        columns = _columns(results, rows)
        starts, left = [], 0.28
        for heading, cells in columns:
            starts.append(left)
            left += max(plotting.widest(cells), plotting.text_width(heading, plotting.SMALL)) + GAP
        values = [words.percent(row["official"]) for row in rows]
        intervals = [words.interval(row) for row in rows]
        value_width = plotting.widest(values, bold=True)
        right = value_width + 0.1 + plotting.widest([*intervals, "95 % interval"], plotting.SMALL)
        room = plotting.WIDTH - 2 * plotting.EDGE
        plot = max(2.4, room - left - right - 0.12)
        height = len(rows) * ROW
        head = plotting.line_height(plotting.SMALL) + 0.06

        what = f"Official score ({words.official_is(results, dataset)})"
        known = [row for row in rows if row["units"]]
        lines = f" Line: {words.confidence(best)} bootstrap interval." if known else ""
        band = " Band: that of the best system." if best["units"] and table.height > 1 else ""
        level = table.filter(pl.col("official") == best["official"]).height - 1
        sheet = plotting.Sheet(
            _title(results.label(results.systems(dataset)[0]), dataset, best, table.height, level),
            f"{what} of {told(results, dataset)}. Dot: score.{lines}{band}",
            (left + plot + 0.12 + right, head + height + 0.42),
            cautioned(results, dataset, self._note(len(rows), table.height)),
            best["simulated"],
        )
        base = head - 0.1
        for (heading, _), start in zip(columns, starts, strict=True):
            sheet.write(start, base, heading, plotting.SMALL, color=MUTED.light)
        value_left = left + plot + 0.12
        sheet.write(value_left + value_width, base, "score", plotting.SMALL, color=MUTED.light, ha="right")
        sheet.write(
            value_left + value_width + 0.1,
            base,
            f"{words.confidence(best)} interval",
            plotting.SMALL,
            color=MUTED.light,
        )

        axes = sheet.panel(left, head, plot, height)
        ends = [row["official"] for row in rows]
        ends += [row[f"official_{end}"] for row in known for end in ("low", "high")]
        low, high = _limits(ends)
        axes.set_xlim(low, high)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", left=False, labelleft=False)
        axes.grid(axis="x")
        axes.set_xlabel("official score, percent")
        if band:
            axes.axvspan(
                100 * best["official_low"], 100 * best["official_high"], color=GRID.light, alpha=0.6, lw=0
            )
        if low < 50 < high:
            axes.axvline(50, color=MUTED.light, lw=1, ls=(0, (3, 3)))
            axes.annotate(
                "chance", (50, -0.5), (0, 2), textcoords="offset points", ha="center", va="bottom",
                fontsize=plotting.SMALL, color=MUTED.light, annotation_clip=False,
            )  # fmt: skip
        drawn = marks(results.kinds)
        for index, row in enumerate(rows):
            mark = drawn[row["system"]]
            if row["units"]:
                axes.plot(
                    [100 * row["official_low"], 100 * row["official_high"]],
                    [index, index],
                    color=mark.colour,
                    lw=1.6,
                    solid_capstyle="butt",
                )
            axes.plot(
                100 * row["official"], index, mark.marker, color=mark.colour, ms=6.5 * mark.scale,
                mec=GROUND.light, mew=0.8, clip_on=False,
            )  # fmt: skip
            line = head + (index + 0.5) * ROW + plotting.TEXT / 72 * 0.36
            for column, ((_, cells), start) in enumerate(zip(columns, starts, strict=True)):
                colour = INK.light if column == 0 else MUTED.light
                sheet.write(start, line, cells[index], color=colour)
            sheet.write(0.22, line, str(row["rank"]), plotting.SMALL, color=MUTED.light, ha="right")
            sheet.write(
                value_left + value_width, line, values[index], color=INK.light, ha="right", fontweight="bold"
            )
            sheet.write(
                value_left + value_width + 0.1, line, intervals[index], plotting.SMALL, color=MUTED.light
            )
        return sheet

    def _note(self, shown: int, systems: int) -> str:
        if systems == 1:
            return ""
        part = (
            f"Shown: {shown} of {systems} systems, at most {self.top} of each encoder, layer and pooling. "
            if shown < systems
            else ""
        )
        return (
            f"{part}The first place was chosen among all of them on the same test clips, so its score is "
            "somewhat too good."
        )


def _title(name: str, dataset: str, best: Mapping[str, Any], systems: int, level: int) -> str:
    """What the first row says; `level` other systems have its score."""
    if systems == 1:
        verdict = f"{name} is the only system on {dataset}"
    elif level + 1 == systems:
        verdict = f"{'Both' if systems == 2 else f'All {systems}'} systems score the same on {dataset}"
    elif level:
        verdict = f"{level + 1} systems share the best score on {dataset}, {name} among them"
    else:
        verdict = f"{name} scores best on {dataset}"
    known = (
        f"{words.confidence(best)} interval {words.interval(best)}" if best["units"] else "interval unknown"
    )
    return f"{verdict}: {words.percent(best['official'])}, {known}"


def _columns(results: Results, rows: list[dict]) -> list[tuple[str, list[str]]]:
    """Columns of text beside the dots: heading and cells. One that says nothing is left out."""
    traits = results.traits
    columns = [
        ("system", [row["system"] for row in rows]),
        ("encoder", [results.feature_name(row["encoder"], row["layer"]) for row in rows]),
        ("pooling", [row["pooling"] for row in rows]),
        ("note", [", ".join(traits[row["system"]].labels) for row in rows]),
    ]
    return [column for column in columns if any(column[1])]


def _limits(values: list[float]) -> tuple[float, float]:
    """Axis ends in percent at multiples of 5, at least 10 apart, within 0 and 100."""
    low = 5 * math.floor(20 * min(values))
    high = 5 * math.ceil(20 * max(values))
    if high - low < 10:
        low, high = low - 5, high + 5
    return max(low, 0), min(high, 100)
