"""A checked study in normal form: what its grid consists of, as plain data; does not check anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

GIVEN = "given"
"""Layer and pooling, in paths and tables, of vectors that came ready-made: neither was chosen here."""

Value = bool | int | float | str


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


@dataclass(frozen=True)
class Traits:
    """What a reader must know before comparing a system with others."""

    transductive: bool = False
    """Uses statistics of the test clips, so these are not scored one by one."""
    needs_domains: bool = False
    """Uses the domain labels of the train clips."""
    tuned: bool = False
    """Some of its numbers were chosen by looking at test labels."""

    @classmethod
    def of(cls, *members: Any) -> Traits:
        """Those that one of the members has."""
        return cls(*(any(getattr(one, name, False) for one in members) for name in cls.__dataclass_fields__))

    @property
    def labels(self) -> tuple[str, ...]:
        """Those that hold, in words."""
        return tuple(name.replace("_", " ") for name in self.__dataclass_fields__ if getattr(self, name))


@dataclass(frozen=True)
class Study:
    """One study. Each axis maps an entry's name to its specification in normal form.

    The normal form holds every parameter, so writing a default out does not redo anything, while a changed
    default does. `name` names the member, and the `normalization` of a detector is a list. Swept entries are
    there as the entries that they stand for; `sweeps` says of the axes "poolings" and "detectors" which
    belong together.

    Attributes
    ----------
    members : fusion to the detectors that it joins
    layers : encoder to its selected layers
    given : data set to the encoders whose vectors came with it; empty where it is sound
    simulated : data sets whose sound is computed rather than recorded
    traits : detector or fusion to its traits
    shared_metrics : detector to the metrics whose distances it shares with others
    extraction : how frames are computed and kept, which decides no number
    """

    title: str
    datasets: Mapping[str, dict]
    encoders: Mapping[str, dict]
    poolings: Mapping[str, dict]
    detectors: Mapping[str, dict]
    fusions: Mapping[str, dict]
    figures: Mapping[str, dict]
    metrics: Mapping[str, Any]
    report: Mapping[str, Any]
    sweeps: Mapping[str, Mapping[str, Sweep]] = field(default_factory=dict)
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    simulated: tuple[str, ...] = ()
    traits: Mapping[str, Traits] = field(default_factory=dict)
    shared_metrics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extraction: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def systems(self) -> Mapping[str, str]:
        """Name to kind of every system: detectors first, then fusions."""
        return dict.fromkeys(self.detectors, "detector") | dict.fromkeys(self.fusions, "fusion")

    @cached_property
    def backends(self) -> Mapping[str, list[str]]:
        """Detectors of every backend: one job scores them together, on one bank."""
        found: dict[str, list[str]] = {}
        for name, spec in self.detectors.items():
            found.setdefault(spec["backend"]["name"], []).append(name)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Lists and dictionaries, as a parameter of rules; without `extraction`, which decides no number."""
        plain = {key: value for key, value in asdict(self).items() if key != "extraction"}
        return json.loads(json.dumps(plain))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Study:
        """The study behind `as_dict`."""
        made = {
            "sweeps": {
                axis: {
                    name: Sweep(
                        tuple(sweep["parameters"]),
                        {one: tuple(values) for one, values in sweep["members"].items()},
                    )
                    for name, sweep in entries.items()
                }
                for axis, entries in plain.get("sweeps", {}).items()
            },
            "traits": {name: Traits(**traits) for name, traits in plain.get("traits", {}).items()},
            "simulated": tuple(plain.get("simulated", ())),
        } | {
            key: {name: tuple(names) for name, names in plain.get(key, {}).items()}
            for key in ("members", "layers", "given", "shared_metrics")
        }
        return cls(**{**plain, **made})
