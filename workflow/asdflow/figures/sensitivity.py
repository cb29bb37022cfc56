"""Sensitivity: how much does the value of one parameter matter?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from asdflow.figures import register
from asdflow.figures._traces import Trace, numbers, traces, written
from asdflow.figures.base import Picture
from asdflow.presentation import words
from asdflow.presentation.colours import INK, MUTED, NO_DOMAIN, SOURCE, TARGET
from asdflow.presentation.evidence import cautioned, told

if TYPE_CHECKING:
    from asdflow.presentation.plotting import Sheet
    from asdflow.presentation.results import Results

HIGH, COLUMNS = 1.75, 2  # inches of a panel; panels side by side
# Colour, width and marker of each metric; marker and width repeat what colour says.
LINES = {
    "official": (INK.light, 2.2, "o"),
    "auc_source": (SOURCE.light, 1.3, "s"),
    "auc_target": (TARGET.light, 1.3, "^"),
    "pauc": (NO_DOMAIN.light, 1.3, "D"),
}


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
            f"A panel changes one parameter and holds all else, {told(results, dataset)}. "
            f"Bands and bars: {words.confidence(shown[0].rows[0])} bootstrap intervals, where known.",
            (room, key + lines * (head + HIGH + foot)),
            cautioned(results, dataset, _note(found, len(shown))),
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


def _draw(axes, trace: Trace, names: Sequence[str], wide: float) -> None:
    """Lines and bands of one panel; words have nothing between them, so their marks stand side by side."""
    places = _scale(axes, trace.values, wide)
    ordered = numbers(trace.values)
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


def _scale(axes, values: Sequence[Any], wide: float) -> list[float]:
    """Set the axis of the parameter and return the places of its values.

    Numbers above 0 that span a factor of 8 or more are on a logarithmic axis; words stand in order.
    """
    from asdflow.presentation import plotting

    texts = [written(value) for value in values]
    ordered = numbers(values)
    places = [float(value) for value in values] if ordered else [float(n) for n in range(len(values))]
    if ordered and places[0] > 0 and places[-1] / places[0] >= 8:
        places = [math.log2(place) for place in places]
    margin = 0.06 * (places[-1] - places[0]) if ordered else 0.5
    axes.set_xlim(places[0] - margin, places[-1] + margin)
    inch = wide / (places[-1] - places[0] + 2 * margin)
    kept: list[int] = []
    for index, word in enumerate(texts):  # a label that would touch the one before is left out, its mark not
        half = plotting.text_width(word, plotting.SMALL) / 2
        last = kept[-1] if kept else None
        taken = -math.inf
        if last is not None:
            taken = places[last] * inch + plotting.text_width(texts[last], plotting.SMALL) / 2 + 0.08
        if places[index] * inch - half >= taken:
            kept.append(index)
    axes.set_xticks(places, [word if index in kept else "" for index, word in enumerate(texts)])
    return places


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
    """Which parameter moves the official score, where, and which value is best; spans as they are printed."""
    first, last = found[0], found[-1]
    what = f"{first.parameter} of {first.entry}"
    if not first.points:
        none = f"{what} does not move" if len(found) == 1 else f"None of {len(found)} swept parameters moves"
        return f"{words.capital(none)} the official score"
    best = words.listed([written(value) for value in first.best])
    moves = f"the official score by {first.points:.1f} points ({first.where}), best at {best}"
    if len(found) == 1:
        return f"{words.capital(what)} moves {moves}"
    level = sum(one.points == first.points for one in found)
    if level > 1:
        each = f"{level} of {len(found)}" if level < len(found) else {2: "Both"}.get(level, f"All {level}")
        return f"{each} swept parameters move the official score by {first.points:.1f} points, none by more"
    return (
        f"Of {len(found)} swept parameters, {what} moves most: {moves}; "
        f"{last.parameter} of {last.entry} moves it "
        + (f"by {last.points:.1f}" if last.points else "not at all")
    )


def _note(found: Sequence[Trace], shown: int) -> str:
    first, notes = found[0], []
    if shown < len(found):
        notes.append(f"Shown: the {shown} of {len(found)} parameters that move the official score most.")
    if first.elsewhere and first.points:
        others = words.count(len(first.elsewhere), "other combination")
        notes.append(
            f"{first.parameter} of {first.entry}: in {first.agreeing} of {others} of encoder, layer and "
            f"{'detector' if first.rows[0]['pooling'] != first.rows[1]['pooling'] else 'pooling'} the same "
            "value is best."
        )
    notes.append(
        "All else is held at the best system of the sweep, chosen on the same test clips. Values meet the "
        "same resamples, so the difference of two is known better than their overlapping bands suggest."
    )
    return " ".join(notes)
