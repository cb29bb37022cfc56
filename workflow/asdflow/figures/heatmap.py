"""Heat map: which system suits which machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from asdflow.figures import register
from asdflow.figures.base import Picture
from asdflow.presentation import words
from asdflow.presentation.colours import GROUND, HEAT, HEAT_EDGES, HEAT_INK, INK, MUTED, heat_class
from asdflow.presentation.evidence import cautioned, told

if TYPE_CHECKING:
    from asdflow.presentation.plotting import Sheet
    from asdflow.presentation.results import Results

ROW, GAP = 0.25, 0.12  # inches


@register("heatmap")
@dataclass(frozen=True)
class Heatmap(Picture):
    """One metric of every detector and fusion on every machine, at one encoder, layer and pooling.

    Rows are sorted by the metric over all machines, columns by name. A machine with several sections shows
    their harmonic mean. The best of each column is framed. Data sets without a target domain show the
    official score in place of the target AUC.
    """

    metric: Annotated[
        Literal["official", "auc_source", "auc_target", "pauc"], Field(description="What the cells show.")
    ] = "auc_target"
    encoder: Annotated[str | None, Field(description="Encoder; that of the best system if absent.")] = None
    layer: Annotated[str | None, Field(description="Layer; that of the best system if absent.")] = None
    pooling: Annotated[str | None, Field(description="Pooling; that of the best system if absent.")] = None

    def paint(self, results: Results, dataset: str) -> Sheet:
        from asdflow.presentation import plotting

        asked = {"encoder": self.encoder, "layer": self.layer, "pooling": self.pooling}
        encoder, layer, pooling = results.best(dataset, feature=asked).feature
        metric = self.metric if self.metric in results.terms(dataset) else "official"
        systems, machines, cells = _cells(results, dataset, (encoder, layer, pooling), metric)
        name = words.metric_name(results, dataset, metric)

        label = plotting.widest(systems) + GAP
        room = plotting.WIDTH - 2 * plotting.EDGE
        wide = min(0.8, max(0.38, (room - label - 0.1) / (len(machines) + 1)))
        heads = ["all", *machines]
        # Slanted heads rise by 0.7 of their width and reach beyond the last column by as much.
        flat = plotting.widest(heads, plotting.SMALL) <= wide - 0.06
        head = plotting.line_height(plotting.SMALL) + 0.04
        beyond = 0.0
        if not flat:
            longest = plotting.widest(heads, plotting.SMALL)
            head = 0.72 * longest + 0.16
            beyond = max(0.0, 0.72 * plotting.text_width(heads[-1], plotting.SMALL) + 0.08 - wide / 2)
        height = ROW * len(systems)
        key = 0.62
        width = label + 0.1 + wide * len(heads) + beyond

        sheet = plotting.Sheet(
            _title(systems, machines, cells, name),
            f"{words.capital(name)}, percent, on {told(results, dataset)}, with "
            f"{results.feature_label(encoder, layer, pooling)}. Rows by the value over all "
            "machines (first column). Framed: best of the column.",
            (width, head + height + key),
            cautioned(
                results,
                dataset,
                *_notes(results, dataset, asked, (encoder, layer, pooling), metric, self.metric),
            ),
            results.simulated(dataset),
        )
        for index, text in enumerate(systems):
            sheet.write(
                label - GAP, head + (index + 0.5) * ROW + plotting.TEXT / 72 * 0.36, text,
                color=INK.light, ha="right",
            )  # fmt: skip
        for column, text in enumerate(heads):
            centre = label + (column + 0.5) * wide + (0.1 if column else 0.0)
            colour = INK.light if column == 0 else MUTED.light
            if flat:
                sheet.write(centre, head - 0.06, text, plotting.SMALL, color=colour, ha="center")
            else:
                sheet.write(
                    centre - 0.04, head - 0.05, text, plotting.SMALL, color=colour,
                    rotation=45, rotation_mode="anchor", ha="left",
                )  # fmt: skip
        for first, last, left in ((0, 1, label), (1, len(heads), label + wide + 0.1)):
            axes = sheet.panel(left, head, wide * (last - first), height)
            _draw(axes, [row[first:last] for row in cells], plotting.SMALL)
            _frame(axes, cells, first, last)
        _legend(sheet, label, head + height + 0.12, name)
        return sheet


def _cells(results: Results, dataset: str, feature: tuple[str, str, str], metric: str):
    """Systems (best first), machines (sorted), and values[system][0 = all, then machines]."""
    import polars as pl

    here = [
        pl.col(name) == value for name, value in zip(("encoder", "layer", "pooling"), feature, strict=True)
    ]
    overall = results.overall(dataset).filter(*here, pl.col("metric") == metric)
    total = dict(overall.select("system", "value").iter_rows())
    order = {name: index for index, name in enumerate(results.kinds)}
    systems = sorted(total, key=lambda name: (-total[name], order[name]))
    machines = results.judged(dataset)
    one = results.by_machine(dataset).filter(*here, pl.col("metric") == metric)
    value = {
        (system, machine): value
        for system, machine, value in one.select("system", "machine", "value").iter_rows()
    }
    return (
        systems,
        machines,
        [[total[name], *(value.get((name, machine)) for machine in machines)] for name in systems],
    )


def _winners(cells: list[list[float | None]], column: int) -> list[int]:
    """Rows that show the best value of a column, to the digit that is printed."""
    shown = [None if row[column] is None else round(100 * row[column]) for row in cells]
    best = max((value for value in shown if value is not None), default=None)
    return [index for index, value in enumerate(shown) if value is not None and value == best]


def _title(systems: list[str], machines: list[str], cells, name: str) -> str:
    """Who has the best value of how many machines, equal to the digit that is printed."""
    if len(systems) == 1:
        return f"{systems[0]}: {name} of {machines[0] if len(machines) == 1 else 'each machine'}"
    wins = [0] * len(systems)
    for column in range(1, len(machines) + 1):
        for row in _winners(cells, column):
            wins[row] += 1
    most = max(wins)
    leaders = [system for system, won in zip(systems, wins, strict=True) if won == most]
    where = words.on_machines(most, machines)
    every = most == len(machines)
    if len(leaders) == 1:
        return f"{'' if every else 'No system wins everywhere: '}{leaders[0]} has the best {name} {where}"
    if every:
        if len(leaders) == len(systems):
            who = f"{'Both' if len(systems) == 2 else f'All {len(systems)}'} systems"
        else:
            who = words.listed(leaders) if len(leaders) <= 3 else f"{len(leaders)} of {len(systems)} systems"
        return f"{who} share the best {name} {where}"
    if len(leaders) > 3:
        return f"No system wins everywhere: the best {name} is shared by {sum(map(bool, wins))} systems"
    return f"No system wins everywhere: {words.listed(leaders)} each have the best {name} {where}"


def _notes(results: Results, dataset: str, asked, feature, metric: str, wanted: str) -> list[str]:
    import polars as pl

    notes = []
    free = [key for key, value in asked.items() if value is None]
    if free:
        verb = "is that" if len(free) == 1 else "are those"
        notes.append(f"The {words.listed(free)} shown {verb} of the best system.")
    if metric != wanted:
        notes.append(words.stands_in(wanted))
    cells = results.metrics(dataset).filter(
        pl.col("machine") != "all",
        pl.col("metric") == metric,
        *(
            pl.col(name) == value
            for name, value in zip(("encoder", "layer", "pooling"), feature, strict=True)
        ),
    )
    if cells.select("machine", "section").n_unique() > len(results.judged(dataset)):
        notes.append("A machine's value is the harmonic mean over its sections.")
    known = cells.filter(pl.col("units") > 0)
    if known.height:
        half = 50 * (known["high"] - known["low"]).median()
        what = "section's" if "sections" in " ".join(notes) else "machine's"
        coverage = words.confidence(known.row(0, named=True))
        notes.append(words.width(f"A {what} {coverage} bootstrap interval (median)", half) + ".")
    return notes


def _draw(axes, cells, size: float) -> None:
    from matplotlib.patches import Rectangle

    for row, values in enumerate(cells):
        for column, value in enumerate(values):
            if value is None:
                axes.text(
                    column + 0.5, row + 0.5, "–", ha="center", va="center", color=MUTED.light, fontsize=size
                )
                continue
            index = heat_class(round(100 * value) / 100)  # the colour of the number that is printed
            axes.add_patch(
                Rectangle((column, row), 1, 1, facecolor=HEAT[index].light, edgecolor=GROUND.light, lw=1.2)
            )
            axes.text(
                column + 0.5, row + 0.53, f"{100 * value:.0f}", ha="center", va="center_baseline",
                color=HEAT_INK[index].light, fontsize=size,
            )  # fmt: skip
    axes.set_xlim(0, len(cells[0]))
    axes.set_ylim(len(cells), 0)
    axes.axis("off")


def _frame(axes, cells, first: int, last: int) -> None:
    from matplotlib.patches import Rectangle

    if len(cells) == 1:
        return
    for column in range(first, last):
        for row in _winners(cells, column):
            axes.add_patch(
                Rectangle(
                    (column - first + 0.04, row + 0.06), 0.92, 0.88,
                    fill=False, edgecolor=INK.light, lw=1.6, clip_on=False, zorder=3,
                )
            )  # fmt: skip


def _legend(sheet: Sheet, left: float, top: float, name: str) -> None:
    """Classes of colour with their limits; 50 is chance."""
    from matplotlib.patches import Rectangle

    from asdflow.presentation import plotting

    wide = 0.34
    axes = sheet.panel(left, top + 0.14, wide * len(HEAT), 0.13)
    for index, token in enumerate(HEAT):
        axes.add_patch(Rectangle((index, 0), 1, 1, facecolor=token.light, edgecolor=GROUND.light, lw=1))
    axes.set_xlim(0, len(HEAT))
    axes.set_ylim(0, 1)
    axes.axis("off")
    for index, edge in enumerate(HEAT_EDGES):
        chance = edge == 0.5
        sheet.write(
            left + (index + 1) * wide, top + 0.4, f"{100 * edge:.0f}", plotting.SMALL, ha="center",
            color=INK.light if chance else MUTED.light, fontweight="bold" if chance else "normal",
        )  # fmt: skip
    sheet.write(
        left,
        top + 0.09,
        f"{words.capital(name)}, percent; brown: below chance (50)",
        plotting.SMALL,
        color=MUTED.light,
    )
