"""Sensitivity: how much does the value of one parameter matter?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from asdflow.figures import register
from asdflow.figures.base import Picture
from asdflow.presentation import words
from asdflow.presentation.colours import INK, MUTED, NO_DOMAIN, SOURCE, TARGET

if TYPE_CHECKING:
    from asdflow.presentation.plotting import Sheet
    from asdflow.presentation.results import Results
    from asdflow.products.study import Sweep

HIGH, COLUMNS = 1.75, 2  # inches of a panel; panels side by side
# Colour, width and marker of each metric; marker and width repeat what colour says.
LINES = {
    "official": (INK.light, 2.2, "o"),
    "auc_source": (SOURCE.light, 1.3, "s"),
    "auc_target": (TARGET.light, 1.3, "^"),
    "pauc": (NO_DOMAIN.light, 1.3, "D"),
}


@dataclass(frozen=True)
class Trace:
    """Systems that differ in the value of one swept parameter alone.

    Attributes
    ----------
    entry, parameter : str
        The sweep, as the configuration calls it.
    values : tuple
        In the order of the configuration; numbers ascending.
    rows : tuple of mapping
        Row of the leaderboard for each value.
    held : str
        What all of them share.
    """

    entry: str
    parameter: str
    values: tuple[Any, ...]
    rows: tuple[Mapping[str, Any], ...]
    held: str

    @property
    def span(self) -> float:
        """Largest minus smallest official score."""
        scores = [row["official"] for row in self.rows]
        return max(scores) - min(scores)

    @property
    def best(self) -> Any:
        """Value with the best official score; the first of equals."""
        return max(zip(self.rows, self.values, strict=True), key=lambda pair: pair[0]["official"])[1]


@register("sensitivity")
@dataclass(frozen=True)
class Sensitivity(Picture):
    """Metrics against the value of every swept parameter, one panel each.

    A panel holds everything else: the other parameters of the sweep, and encoder, layer and pooling (for a
    sweep of a pooling the detector), at those of the sweep's best system by official score.
    """

    needs_sweeps: ClassVar[bool] = True

    panels: Annotated[
        int, Field(ge=1, le=40, description="Most panels; those that move the official score most are shown.")
    ] = 12

    def paint(self, results: Results, dataset: str) -> Sheet:
        from asdflow.presentation import plotting

        found = sorted(traces(results, dataset), key=lambda one: -one.span)
        simulated = results.simulated(dataset)
        if not found:
            return plotting.message(
                f"{dataset}: no parameter was swept",
                "A list of values in the configuration, k: [1, 2, 4], is drawn here against its metrics.",
                simulated,
            )
        shown = found[: self.panels]
        names = [name for name in LINES if name == "official" or name in results.terms(dataset)]
        room = plotting.WIDTH - 2 * plotting.EDGE
        axis, gap = 0.5, 0.3
        columns = min(COLUMNS, len(shown))
        wide = (room - axis - gap * (COLUMNS - 1)) / COLUMNS if columns > 1 else 0.62 * room
        key, head, foot = 0.34, 0.42, 0.5
        lines = -(-len(shown) // columns)
        sheet = plotting.Sheet(
            _title(found),
            f"A panel changes one parameter and holds all else, {words.evidence(results, dataset)}. "
            f"Bands and bars: {words.confidence(shown[0].rows[0])} bootstrap intervals, where known.",
            (room, key + lines * (head + HIGH + foot)),
            _note(len(shown), len(found)),
            simulated,
        )
        _key(sheet, axis, names, results, dataset)
        low, high = _limits(shown, names)
        for index, trace in enumerate(shown):
            line, column = divmod(index, columns)
            left, top = axis + column * (wide + gap), key + line * (head + HIGH + foot)
            sheet.write(
                left, top + 0.16, f"{trace.parameter} of {trace.entry}", color=INK.light, fontweight="bold"
            )
            held = plotting.wrap(trace.held, wide, plotting.SMALL)
            sheet.write(
                left, top + 0.31, held[0] + (" ..." if held[1:] else ""), plotting.SMALL, color=MUTED.light
            )
            axes = sheet.panel(left, top + head, wide, HIGH)
            axes.set_ylim(low, high)
            axes.grid(axis="y")
            _draw(axes, trace, names, wide)
            axes.set_xlabel(trace.parameter)
            if column:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel("percent")
        return sheet


def traces(results: Results, dataset: str) -> list[Trace]:
    """One trace a swept parameter of at least two values, where the data set has the sweep."""
    rows = results.leaderboard(dataset).to_dicts()
    found = []
    for axis, column in (("poolings", "pooling"), ("detectors", "system")):
        for entry, sweep in results.study.sweeps.get(axis, {}).items():
            best = next((row for row in rows if row[column] in sweep.members), None)  # rows are best first
            for number in range(len(sweep.parameters) if best else 0):
                found.append(_trace(results, rows, best, column, sweep, number, entry))
    return [trace for trace in found if len(trace.values) > 1]


def _trace(
    results: Results,
    rows: Sequence[Mapping[str, Any]],
    best: Mapping[str, Any],
    column: str,
    sweep: Sweep,
    number: int,
    entry: str,
) -> Trace:
    """The systems that share everything with the best one but one parameter."""
    fixed = sweep.members[best[column]]
    same = [key for key in ("encoder", "layer", "pooling", "kind", "system") if key != column]
    value = {
        name: values[number]
        for name, values in sweep.members.items()
        if values[:number] + values[number + 1 :] == fixed[:number] + fixed[number + 1 :]
    }
    pairs = [
        (value[row[column]], row)
        for row in rows
        if row[column] in value and all(row[key] == best[key] for key in same)
    ]
    order = list(value.values())
    pairs.sort(key=lambda pair: pair[0] if _numbers(order) else order.index(pair[0]))
    held = [f"{name} {fixed[place]}" for place, name in enumerate(sweep.parameters) if place != number]
    feature = results.feature_name(best["encoder"], best["layer"])
    if column == "pooling":
        held = [f"{best['system']} on {feature}", *held]
    elif results.given(best["dataset"]):
        held = [f"given {feature} vectors", *held]
    else:
        held = [f"{feature}, {best['pooling']} pooling", *held]
    return Trace(
        entry,
        sweep.parameters[number],
        tuple(value for value, _ in pairs),
        tuple(row for _, row in pairs),
        ", ".join(held),
    )


def _draw(axes, trace: Trace, names: Sequence[str], wide: float) -> None:
    """Lines and bands of one panel; words have nothing between them, so their marks stand side by side."""
    places = _scale(axes, trace.values, wide)
    ordered = _numbers(trace.values)
    known = all(row["units"] for row in trace.rows)
    for number, name in reversed(list(enumerate(names))):  # the official score lies on top
        colour, width, marker = LINES[name]
        values = [100 * row[name] for row in trace.rows]
        beside = 0.0 if ordered else 0.09 * (number - (len(names) - 1) / 2)
        at = [place + beside for place in places]
        if known:
            low, high = ([100 * row[f"{name}_{end}"] for row in trace.rows] for end in ("low", "high"))
            if ordered:
                axes.fill_between(at, low, high, color=colour, alpha=0.13, lw=0)
            else:
                axes.vlines(at, low, high, color=colour, lw=width)
        axes.plot(at, values, color=colour, lw=width if ordered else 0, marker=marker, ms=4.2)


def _numbers(values: Sequence[Any]) -> bool:
    """Whether values have an order of their own; true and false have not."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _scale(axes, values: Sequence[Any], wide: float) -> list[float]:
    """Set the axis of the parameter and return the places of its values.

    Numbers above 0 that span a factor of 8 or more are on a logarithmic axis; words stand in order.
    """
    from asdflow.presentation import plotting

    written = [_shown(value) for value in values]
    numbers = _numbers(values)
    places = [float(value) for value in values] if numbers else [float(n) for n in range(len(values))]
    if numbers and places[0] > 0 and places[-1] / places[0] >= 8:
        places = [math.log2(place) for place in places]
    margin = 0.06 * (places[-1] - places[0]) if numbers else 0.5
    axes.set_xlim(places[0] - margin, places[-1] + margin)
    inch = wide / (places[-1] - places[0] + 2 * margin)
    kept: list[int] = []
    for index, word in enumerate(
        written
    ):  # a label that would touch the one before is left out, its mark not
        half = plotting.text_width(word, plotting.SMALL) / 2
        last = kept[-1] if kept else None
        taken = (
            -math.inf
            if last is None
            else places[last] * inch + plotting.text_width(written[last], plotting.SMALL) / 2 + 0.08
        )
        if places[index] * inch - half >= taken:
            kept.append(index)
    axes.set_xticks(places, [word if index in kept else "" for index, word in enumerate(written)])
    return places


def _shown(value: Any) -> str:
    return (
        str(value).lower()
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def _limits(shown: Sequence[Trace], names: Sequence[str]) -> tuple[float, float]:
    """One scale for all panels, percent: every value and band."""
    ends = []
    for trace in shown:
        for row in trace.rows:
            ends += [row[name] for name in names]
            if row["units"]:
                ends += [row[f"{name}_{end}"] for name in names for end in ("low", "high")]
    low, high = 5 * math.floor(20 * min(ends)), 5 * math.ceil(20 * max(ends))
    return max(low, 0), min(max(high, low + 10), 100)


def _key(sheet: Sheet, left: float, names: Sequence[str], results: Results, dataset: str) -> None:
    """Lines and what they stand for, above the panels."""
    from asdflow.presentation import plotting

    for name in names:
        colour, width, marker = LINES[name]
        axes = sheet.panel(left, 0.02, 0.3, 0.16)
        axes.axis("off")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.plot([0, 0.5, 1], [0.5] * 3, color=colour, lw=width, marker=marker, ms=4.2, markevery=[1])
        word = words.metric_name(results, dataset, name)
        sheet.write(left + 0.36, 0.145, word, color=INK.light)
        left += 0.36 + plotting.text_width(word) + 0.28


def _title(found: Sequence[Trace]) -> str:
    first = found[0]
    what = f"{first.parameter} of {first.entry}"
    moves = f"the official score by {100 * first.span:.1f} points, best at {_shown(first.best)}"
    if len(found) == 1:
        return f"{words.capital(what)} moves {moves}"
    return (
        f"Of {len(found)} swept parameters, {what} moves most: {moves}; "
        f"{found[-1].parameter} of {found[-1].entry} moves it by {100 * found[-1].span:.1f}"
    )


def _note(shown: int, found: int) -> str:
    left = (
        f"Shown: the {shown} of {found} parameters that move the official score most. "
        if shown < found
        else ""
    )
    return (
        f"{left}All else is held at the best system of the sweep, chosen on the same test clips. Values meet "
        "the same resamples, so the difference of two is known better than their overlapping bands suggest."
    )
