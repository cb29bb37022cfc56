"""Sweeps: an entry whose parameter is a list of values stands for one entry a value.

    detectors:
      ldn: {backend: {name: knn}, normalization: {name: density_ratio, k: [1, 4]}}

is the same as writing the entries `ldn_k1` and `ldn_k4`. Several lists in one entry are their grid. Lists are
expanded before anything else looks at the configuration, so no other part of the study knows of them but the
figure that draws a metric against the parameter, and fusions, which leave sweeps out unless they name them.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from asdflow.config.schema import PARTS, sweepable
from asdflow.foundation.errors import ConfigError
from asdflow.foundation.registry import NAME_PATTERN, Registry

Value = bool | int | float | str
Keys = tuple[str | int, ...]


@dataclass(frozen=True)
class Sweep:
    """The entries that one entry with lists stands for.

    Attributes
    ----------
    parameters : tuple of str
        As they are called in the names; with the member in front ("knn.k") where two are called alike.
    members : mapping of derived name to tuple of values
        In the order of the configuration, the last parameter changing fastest.
    """

    parameters: tuple[str, ...]
    members: Mapping[str, tuple[Value, ...]]

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and dictionaries."""
        return {
            "parameters": list(self.parameters),
            "members": {name: list(values) for name, values in self.members.items()},
        }


@dataclass(frozen=True)
class _Swept:
    """One list in an entry: the way to it, the member it belongs to, its values."""

    keys: Keys
    member: str
    values: Sequence[Value]

    @property
    def parameter(self) -> str:
        return str(self.keys[-1])


def of_member(name: str, spec: Mapping[str, Any], registry: Registry) -> tuple[dict[str, Any], Sweep | None]:
    """Entries behind `{"name": ..., parameter: value or list}`, and the sweep if there is one.

    Returns
    -------
    specifications by name; one, called `name`, where nothing is swept.
    """
    return _expanded(name, spec, _lists((), spec, registry))


def of_detector(name: str, spec: Mapping[str, Any]) -> tuple[dict[str, Any], Sweep | None]:
    """As `of_member`, for `{"backend": ..., "normalization": one or a list of them}`."""
    found = _lists(("backend",), spec["backend"], PARTS["backend"])
    several = spec.get("normalization", [])
    listed = isinstance(several, list)
    for number, part in enumerate(several if listed else [several]):
        keys = ("normalization", number) if listed else ("normalization",)
        found += _lists(keys, part, PARTS["normalization"])
    return _expanded(name, spec, found)


def _lists(keys: Keys, spec: Mapping[str, Any], registry: Registry) -> list[_Swept]:
    """Lists that stand where one value belongs."""
    names = sweepable(registry, spec["name"])
    return [
        _Swept((*keys, parameter), spec["name"], value)
        for parameter, value in spec.items()
        if isinstance(value, list) and parameter in names
    ]


def _expanded(
    name: str, spec: Mapping[str, Any], swept: Sequence[_Swept]
) -> tuple[dict[str, Any], Sweep | None]:
    if not swept:
        return {name: spec}, None
    often = Counter(one.parameter for one in swept)
    labels = [
        one.parameter if often[one.parameter] == 1 else f"{one.member}.{one.parameter}" for one in swept
    ]
    specs: dict[str, Any] = {}
    members: dict[str, tuple[Value, ...]] = {}
    for values in itertools.product(*(one.values for one in swept)):
        words = [_written(label, value) for label, value in zip(labels, values, strict=True)]
        derived = "_".join([name, *words])
        if derived in specs or not re.fullmatch(NAME_PATTERN, derived):
            raise ConfigError(
                f"sweep {name!r}",
                f"makes the name {derived!r}, which is taken or cannot be a file's",
                "Write these values as entries of their own.",
            )
        one = deepcopy(dict(spec))
        for place, value in zip(swept, values, strict=True):
            _put(one, place.keys, value)
        specs[derived], members[derived] = one, values
    return specs, Sweep(tuple(labels), members)


def _written(label: str, value: Value) -> str:
    """4 as "k4", 0.5 as "r0.5", 3.0 as "p3"; words apart from the parameter: "metric_cosine"."""
    if isinstance(value, bool):
        return f"{label}_{str(value).lower()}"
    if isinstance(value, str):
        return f"{label}_{value}"
    return label + repr(value).removesuffix(".0").replace("+", "")


def _put(spec: Any, keys: Keys, value: Value) -> None:
    for key in keys[:-1]:
        spec = spec[key]
    spec[keys[-1]] = value


def as_dict(sweeps: Mapping[str, Mapping[str, Sweep]]) -> dict[str, Any]:
    """Plain dictionary: axis to entry to sweep."""
    return {
        axis: {name: sweep.as_dict() for name, sweep in entries.items()} for axis, entries in sweeps.items()
    }
