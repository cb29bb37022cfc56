"""Named parts of a study: `snakemake scores/ldn` builds one detector and what it needs, and nothing else.

    scores/NAME          tables with the detector, sweep or fusion NAME, and of the backend NAME
    normalizations/NAME  tables with detectors of the normalization NAME
    poolings/NAME        metrics, and so everything before them, of the pooling or sweep NAME, and of pooling
                         entries whose member is NAME

A name that is both an entry and a member stands for all that are called so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asdflow.plan.plan import Plan


class Targets:
    """Parts of a study and their files.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.study = plan, plan.study

    @property
    def names(self) -> list[str]:
        """Every target, e.g. "scores/nn"."""
        named = {"scores": self._systems, "normalizations": self._normalizations, "poolings": self._poolings}
        return [f"{kind}/{name}" for kind, entries in named.items() for name in entries]

    def files(self, target: str) -> Callable[[Any], list[str]]:
        """Input function of a target: its files, asked for only when somebody wants them."""
        kind, name = target.split("/", 1)
        if kind == "scores":
            return lambda _: self._scores(self._systems[name])
        if kind == "normalizations":
            return lambda _: self._scores(self._normalizations[name])
        return lambda _: self.plan.grid.files("metrics", pooling=self._poolings[name])

    @property
    def _systems(self) -> dict[str, list[str]]:
        """Detectors and fusions by the names that stand for them."""
        found: dict[str, list[str]] = {name: [name] for name in self.study.systems}
        _add(found, {name: list(sweep.members) for name, sweep in self.study.sweeps["detectors"].items()})
        return _add(found, self.study.backends)

    @property
    def _normalizations(self) -> dict[str, list[str]]:
        """Detectors by normalization."""
        return _by(lambda spec: [part["name"] for part in spec["normalization"]], self.study.detectors)

    @property
    def _poolings(self) -> dict[str, list[str]]:
        """Pooling entries by the names that stand for them."""
        found: dict[str, list[str]] = {name: [name] for name in self.study.poolings}
        _add(found, {name: list(sweep.members) for name, sweep in self.study.sweeps["poolings"].items()})
        return _add(found, _by(lambda spec: [spec["name"]], self.study.poolings))

    def _scores(self, systems: list[str]) -> list[str]:
        files = (file for system in systems for file in self.plan.score_files(system))
        return list(dict.fromkeys(files))


def _by(names: Callable[[Any], list[str]], entries: Mapping[str, Any]) -> dict[str, list[str]]:
    """Entries by the names that their specification gives."""
    found: dict[str, list[str]] = {}
    for entry, spec in entries.items():
        for name in names(spec):
            found.setdefault(name, []).append(entry)
    return found


def _add(found: dict[str, list[str]], more: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """`found`, with more entries under its names; each once."""
    for name, entries in more.items():
        found[name] = list(dict.fromkeys(found.get(name, []) + entries))
    return found
