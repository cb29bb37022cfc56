"""Source against target: which systems buy target performance with source performance?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from asdflow.figures import register
from asdflow.figures.base import Picture
from asdflow.presentation import words
from asdflow.presentation.colours import GROUND, INK, MUTED, RULE, marks
from asdflow.presentation.evidence import cautioned, told

if TYPE_CHECKING:
    from asdflow.presentation.plotting import Sheet
    from asdflow.presentation.results import Results


@register("source_target")
@dataclass(frozen=True)
class SourceTarget(Picture):
    """AUC source and AUC target of every system, over all machines; one panel an encoder and layer.

    On the diagonal both domains are served alike. Systems that no other one of the panel beats in both
    domains are joined by a line: along it, more target costs source. The best by official score has its
    intervals drawn.
    """

    panels: Annotated[
        int, Field(ge=1, le=12, description="Most panels; those with the best systems are shown.")
    ] = 6

    def paint(self, results: Results, dataset: str) -> Sheet:
        import polars as pl

        from asdflow.presentation import plotting

        simulated = results.simulated(dataset)
        table = results.leaderboard(dataset)
        if not {"auc_source", "auc_target"} <= set(table.columns):
            return plotting.message(
                f"{dataset}: no two domains to compare",
                "The test clips of this data set are not divided into a source and a target domain.",
                simulated,
            )
        features = list(dict.fromkeys(table.select("encoder", "layer").iter_rows()))
        shown = features[: self.panels]
        rows = table.filter(pl.struct("encoder", "layer").is_in([
            {"encoder": encoder, "layer": layer} for encoder, layer in shown
        ]))  # fmt: skip
        across, up = (_limits(rows, shown, name) for name in ("auc_source", "auc_target"))

        room = plotting.WIDTH - 2 * plotting.EDGE
        columns = min(3, len(shown))
        axis, gap = 0.5, 0.3
        key_names = [name for name in results.kinds if name in set(rows["system"])]
        beside = columns < 3  # the key stands beside one or two panels, below three
        key_width = plotting.widest(key_names) + 0.34
        space = room - axis - (key_width + 0.3 if beside else 0.0) - gap * (columns - 1)
        # Both axes have one scale, so the diagonal is at 45 degrees.
        scale = max(1.9, min(4.4 if columns == 1 else 3.4, space / columns)) / (across[1] - across[0])
        scale = min(scale, 4.6 / (up[1] - up[0]))
        wide, high = scale * (across[1] - across[0]), scale * (up[1] - up[0])
        lines = -(-len(shown) // columns)
        head = 0.3
        panels_width = axis + columns * wide + gap * (columns - 1)
        panels_height = lines * (head + high + 0.3) + 0.2
        key_columns = 1 if beside else max(1, int((room - axis) // key_width))
        key_lines = -(-len(key_names) // key_columns)
        key_height = key_lines * 0.2
        height = max(panels_height, head + key_height) if beside else panels_height + 0.12 + key_height
        width = panels_width + (0.3 + key_width if beside else 0.0)

        best = table.row(0, named=True)
        sheet = plotting.Sheet(
            _title(table),
            f"A mark is one detector or fusion with one pooling, {told(results, dataset)}. "
            + ("" if table.height == 1 else "Line: systems that no other beats in both domains. ")
            + "Diagonal: both domains alike."
            + (f" Cross: {words.confidence(best)} bootstrap intervals of the panel's best official score."
               if best["units"] else ""),
            (max(room, width), height),
            cautioned(
                results, dataset, "" if len(shown) == len(features) else
                f"Shown: the {len(shown)} of {len(features)} encoder layers with the best systems.",
            ),
            simulated,
        )  # fmt: skip
        drawn = marks(results.kinds)
        for index, (encoder, layer) in enumerate(shown):
            line, column = divmod(index, columns)
            left = axis + column * (wide + gap)
            top = line * (head + high + 0.3)
            sheet.write(
                left, top + 0.2, results.feature_name(encoder, layer), color=INK.light, fontweight="bold"
            )
            axes = sheet.panel(left, top + head, wide, high)
            here = rows.filter((pl.col("encoder") == encoder) & (pl.col("layer") == layer)).to_dicts()
            _panel(axes, here, drawn, across, up)
            if column:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel("AUC target, percent")
            if index + columns >= len(shown):
                axes.set_xlabel("AUC source, percent")
        for index, name in enumerate(key_names):
            if beside:
                left, top = panels_width + 0.3, head + 0.1 + index * 0.2
            else:
                row, column = divmod(index, key_columns)
                left, top = axis + column * key_width, panels_height + 0.2 + row * 0.2
            _key(sheet, left, top, name, drawn[name])
        return sheet


def _panel(axes, rows: list[dict], drawn, across: tuple[float, float], up: tuple[float, float]) -> None:
    from matplotlib.ticker import MultipleLocator

    axes.set_xlim(*across)
    axes.set_ylim(*up)
    axes.grid()
    reach = max(across[1] - across[0], up[1] - up[0])
    step = 5 if reach <= 25 else 10 if reach <= 60 else 20
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.yaxis.set_major_locator(MultipleLocator(step))
    axes.plot([0, 100], [0, 100], color=RULE.light, lw=1)
    for line, (low, high) in ((axes.axvline, across), (axes.axhline, up)):
        if low < 50 < high:
            line(50, color=MUTED.light, lw=1, ls=(0, (3, 3)))
    front = _front(rows)
    axes.plot(
        [100 * row["auc_source"] for row in front],
        [100 * row["auc_target"] for row in front],
        color=INK.light,
        lw=1,
    )
    best = rows[0]
    if best["units"]:
        x, y = (100 * best[name] for name in ("auc_source", "auc_target"))
        colour = drawn[best["system"]].colour
        axes.plot([100 * best["auc_source_low"], 100 * best["auc_source_high"]], [y, y], color=colour, lw=1.4)
        axes.plot([x, x], [100 * best["auc_target_low"], 100 * best["auc_target_high"]], color=colour, lw=1.4)
    for row in reversed(rows):  # the best lie on top
        mark = drawn[row["system"]]
        axes.plot(
            100 * row["auc_source"], 100 * row["auc_target"], mark.marker, color=mark.colour,
            ms=6.5 * mark.scale, mec=GROUND.light, mew=0.8, clip_on=False,
        )  # fmt: skip


def _key(sheet: Sheet, left: float, top: float, name: str, mark) -> None:
    axes = sheet.panel(left, top - 0.08, 0.16, 0.16)
    axes.axis("off")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.plot(
        0.5, 0.5, mark.marker, color=mark.colour, ms=6.5 * mark.scale, mec=GROUND.light, mew=0.8,
        clip_on=False,
    )  # fmt: skip
    sheet.write(left + 0.22, top + 0.045, name, color=INK.light)


def _front(rows: list[dict]) -> list[dict]:
    """Systems that no other one equals or beats in both domains, by rising AUC source."""
    front: list[dict] = []
    for row in sorted(rows, key=lambda row: (-row["auc_source"], -row["auc_target"])):
        if not front or row["auc_target"] > front[-1]["auc_target"]:
            front.append(row)
    return front[::-1]


def _limits(rows, shown, name: str) -> tuple[float, float]:
    """Ends of one axis in percent, multiples of 5: all marks and the intervals of the best."""
    values = rows[name].to_list()
    for encoder, layer in shown:
        best = next(
            row for row in rows.iter_rows(named=True) if (row["encoder"], row["layer"]) == (encoder, layer)
        )
        if best["units"]:
            values += [best[f"{name}_low"], best[f"{name}_high"]]
    low, high = 5 * math.floor(20 * min(values) - 0.2), 5 * math.ceil(20 * max(values) + 0.2)
    while high - low < 20:
        low, high = max(low - 5, 0), min(high + 5, 100)
    return max(low, 0), min(high, 100)


def _title(table) -> str:
    """Which domain the systems serve better; a gap that prints as 0.0 points is none."""
    gaps = [
        round(100 * (source - target), 1)
        for source, target in table.select("auc_source", "auc_target").iter_rows()
    ]
    if len(gaps) == 1:
        if gaps[0] == 0:
            return "AUC source and AUC target are the same"
        return f"AUC source is {abs(gaps[0]):.1f} points {'above' if gaps[0] > 0 else 'below'} AUC target"
    if not any(gaps):
        return f"{_of(len(gaps), len(gaps))} systems do as well on the source domain as on the target"
    better, worse = sum(gap > 0 for gap in gaps), sum(gap < 0 for gap in gaps)
    one, other, number = ("source", "target", better) if better >= worse else ("target", "source", worse)
    return (
        f"{_of(number, len(gaps))} systems do better on the {one} domain than on the {other}: median of AUC "
        f"source minus AUC target {words.signed(median(gaps) / 100)} points"
    )


def _of(number: int, systems: int) -> str:
    if number < systems:
        return f"{number} of {systems}"
    return "Both" if systems == 2 else f"All {systems}"
