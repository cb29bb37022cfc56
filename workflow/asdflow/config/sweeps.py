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
from asdflow.foundation.validation import OptionError
from asdflow.products.study import Sweep, Value

Keys = tuple[str | int, ...]


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

    Raises
    ------
    OptionError
        A list is empty, or has a value twice or one that the parameter cannot have.
    """
    return _expanded(name, spec, _lists((), spec, registry))


def of_detector(name: str, spec: Mapping[str, Any]) -> tuple[dict[str, Any], Sweep | None]:
    """As `of_member`, for `{"backend": ..., "normalization": [...]}`."""
    found = _lists(("backend",), spec["backend"], PARTS["backend"])
    for number, part in enumerate(spec["normalization"]):
        found += _lists(("normalization", number), part, PARTS["normalization"])
    return _expanded(name, spec, found)


def _lists(keys: Keys, spec: Mapping[str, Any], registry: Registry) -> list[_Swept]:
    """Lists that stand where one value belongs."""
    names = sweepable(registry, spec["name"])
    found = []
    for parameter, values in spec.items():
        if isinstance(values, list) and parameter in names:
            _check(registry, spec["name"], parameter, values, (*keys, parameter))
            found.append(_Swept((*keys, parameter), spec["name"], values))
    return found


def _check(registry: Registry, member: str, parameter: str, values: list, keys: Keys) -> None:
    """Raise OptionError unless a parameter may have each of some different values."""
    where = f"{registry.axis} {member!r}, parameter {parameter!r}"
    remedy = "Meaning of this option: a list sweeps the option: one entry for each of its different values."
    if not values:
        raise OptionError(where, "[] should be non-empty", remedy, keys)
    for number, value in enumerate(values):
        if value in values[:number]:
            raise OptionError(where, f"{values!r} has non-unique elements", remedy, keys)
        try:
            registry.check(member, parameter, value)
        except OptionError as error:
            raise OptionError(where, error.what, error.remedy, (*keys, number)) from None


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
