"""Traces: systems that differ in one swept parameter alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asdflow.presentation.results import Results
    from asdflow.products.study import Sweep


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
    where : str
        Encoder, layer, and pooling or detector that all of them share.
    elsewhere : tuple of tuple
        The best values with every other encoder, layer and pooling (or detector) that has them all.
    """

    entry: str
    parameter: str
    values: tuple[Any, ...]
    rows: tuple[Mapping[str, Any], ...]
    held: str
    where: str
    elsewhere: tuple[tuple[Any, ...], ...]

    @property
    def span(self) -> float:
        """Largest minus smallest official score."""
        scores = [row["official"] for row in self.rows]
        return max(scores) - min(scores)

    @property
    def points(self) -> float:
        """The span as it is printed: percentage points with one digit."""
        return round(100 * self.span, 1)

    @property
    def best(self) -> tuple[Any, ...]:
        """Values with the best official score; several where scores are equal."""
        return _best(list(zip(self.values, self.rows, strict=True)))

    @property
    def agreeing(self) -> int:
        """In how many of `elsewhere` one of the values that are best here is best too."""
        return sum(not set(self.best).isdisjoint(values) for values in self.elsewhere)


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
    groups: dict[tuple, list[tuple[Any, Mapping[str, Any]]]] = {}
    for row in rows:
        if row[column] in value:
            groups.setdefault(tuple(row[key] for key in same), []).append((value[row[column]], row))
    pairs = groups.pop(tuple(best[key] for key in same))
    order = list(value.values())
    pairs.sort(key=lambda pair: pair[0] if numbers(order) else order.index(pair[0]))
    feature = results.feature_name(best["encoder"], best["layer"])
    if column == "pooling":
        where = f"{best['system']} on {feature}"
    elif results.given(best["dataset"]):
        where = f"given {feature} vectors"
    else:
        where = f"{feature}, {best['pooling']} pooling"
    others = [f"{name} {fixed[place]}" for place, name in enumerate(sweep.parameters) if place != number]
    return Trace(
        entry,
        sweep.parameters[number],
        tuple(value for value, _ in pairs),
        tuple(row for _, row in pairs),
        ", ".join([where, *others]),
        where,
        tuple(_best(group) for group in groups.values() if len(group) == len(pairs)),
    )


def _best(pairs: Sequence[tuple[Any, Mapping[str, Any]]]) -> tuple[Any, ...]:
    """Values whose official score is the largest."""
    most = max(row["official"] for _, row in pairs)
    return tuple(value for value, row in pairs if row["official"] == most)


def numbers(values: Sequence[Any]) -> bool:
    """Whether values have an order of their own; true and false have not."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def written(value: Any) -> str:
    """A value as the configuration writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
