"""Numbers and choices in the words that every figure and the report use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asdflow.presentation.results import Results

SIMULATED = "Simulated sound: for demonstration and tests; proves nothing about real machines."


def percent(value: float) -> str:
    """0.7134 as "71.3"."""
    return f"{100 * value:.1f}"


def interval(row: Mapping[str, Any], metric: str = "official") -> str:
    """Interval of a leaderboard row, e.g. "66.0 to 76.4", or "unknown" where nothing could be resampled."""
    if not row["units"]:
        return "unknown"
    return f"{percent(row[f'{metric}_low'])} to {percent(row[f'{metric}_high'])}"


def confidence(row: Mapping[str, Any]) -> str:
    """Coverage, e.g. "95 %", which no line break divides."""
    return coverage(row["confidence"])


def coverage(share: float) -> str:
    """0.95 as "95 %", which no line break divides."""
    return f"{100 * share:g}\u00a0%"


def grouped(number: int) -> str:
    """12345 as "12 345", with a thin space."""
    return f"{number:,}".replace(",", "\u2009")


def count(number: int, one: str, many: str | None = None) -> str:
    """ "1 machine", "5 machines"."""
    return f"{grouped(number)} {one if number == 1 else many or one + 's'}"


def listed(words: list[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def on_machines(number: int, machines: list[str]) -> str:
    """On how many of some machines, e.g. "on 3 of 5 machines", "on all 5 machines", "on fan"."""
    if number == 0:
        return f"on {machines[0]}" if len(machines) == 1 else f"on none of {len(machines)} machines"
    if number < len(machines):
        return f"on {number} of {len(machines)} machines"
    whole = {1: machines[0], 2: "both machines"}
    return f"on {whole.get(number, f'all {number} machines')}"


def width(name: str, half: float) -> str:
    """How wide an interval is: `half` in points, e.g. "… is about ± 3 points" or that it has no width.

    An interval without width comes from clips that every resample ranks alike; it is no sign of certainty.
    """
    if half < 0.05:
        return f"{name} has no width: every resample ranks the clips alike, which is not certainty"
    return (
        f"{name} is about ±\u00a0{half:.0f} points"
        if half >= 0.95
        else f"{name} is about ±\u00a0{half:.1f} points"
    )


def signed(value: float) -> str:
    """0.0213 as "+2.1" points; never a zero with a minus."""
    return f"{round(100 * value, 1) + 0.0:+.1f}".replace("-", "−")


def metric_name(results: Results, dataset: str, metric: str) -> str:
    """Name of a metric on this data set; without domains there is one AUC, that of all clips."""
    from asdflow.presentation.results import METRIC_NAMES

    if metric == "auc_source" and "auc_target" not in results.terms(dataset):
        return "AUC"
    return METRIC_NAMES.get(metric, metric)


def stands_in(wanted: str) -> str:
    """Why a figure shows the official score in place of the metric that was asked for."""
    from asdflow.presentation.results import METRIC_NAMES

    return f"The data set has no {METRIC_NAMES.get(wanted, wanted)}, so the official score stands in for it."


def official_is(results: Results, dataset: str) -> str:
    """What the official score of this data set joins, e.g. "harmonic mean of AUC source and pAUC"."""
    return "harmonic mean of " + listed(
        [metric_name(results, dataset, term) for term in results.terms(dataset)]
    )


def capital(text: str) -> str:
    """First letter large: "official score" as "Official score"; "pAUC" stays."""
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]
