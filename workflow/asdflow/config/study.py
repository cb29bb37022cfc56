"""A checked configuration, in normal form: every default filled in, every member built once to prove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asdflow import datasets
from asdflow.config import sweeps
from asdflow.config.explain import explain, nearest, place
from asdflow.config.models import StudyModel
from asdflow.config.schema import AXES, PARTS, schema
from asdflow.config.sweeps import Sweep
from asdflow.foundation.errors import AsdflowError, ConfigError
from asdflow.pipeline import build


@dataclass(frozen=True)
class Study:
    """One study. Each axis maps an entry's name to its specification in normal form.

    The normal form holds every parameter, so writing a default out does not redo anything, while a changed
    default does. Swept entries are there as the entries that they stand for; `sweeps` says of the axes
    "poolings" and "detectors" which belong together, `members` which detectors a fusion joins.
    """

    title: str
    datasets: Mapping[str, dict]
    encoders: Mapping[str, dict]
    poolings: Mapping[str, dict]
    detectors: Mapping[str, dict]
    fusions: Mapping[str, dict]
    figures: Mapping[str, dict]
    extraction: Mapping[str, Any]
    metrics: Mapping[str, Any]
    report: Mapping[str, Any]
    sweeps: Mapping[str, Mapping[str, Sweep]] = field(default_factory=dict)
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shared_metrics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionary of the specifications, for the report."""
        names = ("title", *AXES, "detectors", "metrics", "report")
        return {name: getattr(self, name) for name in names} | {
            "layers": {name: list(layers) for name, layers in self.layers.items()},
            "sweeps": sweeps.as_dict(self.sweeps),
            "members": {name: list(members) for name, members in self.members.items()},
        }


def load(config: Mapping[str, Any], files: Sequence[str | Path] = ()) -> Study:
    """Check a configuration and bring it to normal form.

    Parameters
    ----------
    config : mapping
        The merged configuration.
    files : paths
        The YAML files it came from, so that an error can name file and line.

    Raises
    ------
    ConfigError
        Unknown key or member (with the nearest valid one), a wrong type or value, a missing key, a name that
        cannot be a file's, a detector whose parts do not go together, a name used twice.
    """
    files = [Path(file) for file in files]
    _check(config, files)
    model = StudyModel.model_validate(config)
    poolings, swept_poolings = _swept(files, "poolings", model.poolings)
    fusions, wanted = _without_members(model.fusions)
    entries = {axis: getattr(model, axis) for axis in AXES} | {"fusions": fusions}
    axes = {
        axis: {
            str(name): _entry(files, (axis, str(name)), registry, key, spec)
            for name, spec in entries[axis].items()
            if axis != "poolings"
        }
        for axis, (registry, key) in AXES.items()
    }
    axes["poolings"] = {
        name: _entry(files, ("poolings", origin), *AXES["poolings"], spec)
        for name, (origin, spec) in poolings.items()
    }
    _require_features(files, axes)
    specs, swept_detectors = _swept(files, "detectors", model.detectors)
    if not axes["figures"]:
        axes["figures"] = _figures(bool(swept_poolings or swept_detectors))
    detectors = {name: _detector(files, origin, spec) for name, (origin, spec) in specs.items()}
    members = {
        name: _members(files, name, wanted[name], tuple(detectors), swept_detectors)
        for name in axes["fusions"]
    }
    both = sorted(set(detectors) & set(axes["fusions"]))
    if both:
        raise ConfigError(
            place(files, ["fusions", both[0]]),
            f"the name {both[0]!r} is used by a detector and by a fusion",
            "Rename one of them; both appear in one leaderboard.",
        )
    systems = [*detectors, *axes["fusions"]]
    if model.report.system is not None and model.report.system not in systems:
        raise ConfigError(
            place(files, ["report", "system"]),
            f"{model.report.system!r} is neither a detector nor a fusion",
            f"Choose one of {', '.join(systems)}.",
        )
    return Study(
        title=model.title,
        detectors=detectors,
        extraction=model.extraction.model_dump(),
        metrics=model.metrics.model_dump(),
        report=model.report.model_dump(),
        sweeps={"poolings": swept_poolings, "detectors": swept_detectors},
        members=members,
        layers={name: tuple(build.encoder(spec).layers) for name, spec in axes["encoders"].items()},
        shared_metrics={name: tuple(build.detector(spec).metrics) for name, spec in detectors.items()},
        **axes,
    )


def _check(config: Mapping[str, Any], files: Sequence[Path]) -> None:
    from jsonschema import Draft202012Validator

    errors = list(Draft202012Validator(schema()).iter_errors(config))
    if errors:
        # The deepest violation says most: an unknown parameter rather than "the entry does not fit".
        deepest = max(errors, key=lambda error: (len(error.absolute_path), error.validator == "enum"))
        raise explain(deepest, files, schema())


def _swept(
    files: Sequence[Path], axis: str, entries: Mapping[str, Any]
) -> tuple[dict[str, tuple[str, Any]], dict[str, Sweep]]:
    """Entries of an axis with its sweeps written out: name to (entry it came from, specification)."""
    found: dict[str, tuple[str, Any]] = {}
    swept = {}
    for key, spec in entries.items():
        origin = str(key)
        try:
            if axis == "detectors":
                specs, sweep = sweeps.of_detector(origin, spec)
            else:
                specs, sweep = sweeps.of_member(origin, spec, AXES[axis][0])
        except AsdflowError as error:
            raise ConfigError(place(files, [axis, origin]), error.what, error.remedy) from None
        for name, one in specs.items():
            if name in found:
                raise ConfigError(
                    place(files, [axis, origin]),
                    f"the name {name!r} is used by the entries {found[name][0]!r} and {origin!r}",
                    "Rename one of them; a sweep calls its members after entry, parameter and value.",
                )
            found[name] = (origin, one)
        if sweep is not None:
            swept[origin] = sweep
    return found, swept


def _without_members(entries: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fusion entries without their option `members`, and that option of each (None where it is absent)."""
    specs = {
        name: {key: value for key, value in spec.items() if key != "members"}
        for name, spec in entries.items()
    }
    return specs, {str(name): spec.get("members") for name, spec in entries.items()}


def _members(
    files: Sequence[Path],
    fusion: str,
    wanted: Sequence[str] | None,
    detectors: Sequence[str],
    swept: Mapping[str, Sweep],
) -> tuple[str, ...]:
    """Detectors that a fusion joins, in the order of the configuration."""
    of_sweeps = {name for sweep in swept.values() for name in sweep.members}
    chosen = {name for name in detectors if name not in of_sweeps} if wanted is None else set()
    for number, name in enumerate(wanted or ()):
        if name not in detectors and name not in swept:
            raise ConfigError(
                place(files, ["fusions", fusion, "members", str(number)]),
                f"{name!r} is neither a detector nor a sweep of detectors",
                nearest(name, [*detectors, *swept]),
            )
        chosen |= set(swept[name].members) if name in swept else {name}
    if not chosen:
        raise ConfigError(
            place(files, ["fusions", fusion]),
            "joins nothing: every detector of the study is part of a sweep",
            f"Name detectors or sweeps, e.g. members: [{next(iter(swept))}].",
        )
    return tuple(name for name in detectors if name in chosen)


def _figures(swept: bool) -> dict[str, dict]:
    """Every registered figure; one that shows sweeps only where there are any."""
    registry = AXES["figures"][0]
    return {
        name: _normal(registry, "name", {"name": name})
        for name in registry.names()
        if swept or not registry.member(name).needs_sweeps
    }


def _require_features(files: Sequence[Path], axes: Mapping[str, Mapping[str, dict]]) -> None:
    """Sound needs an encoder and a pooling; vectors that came ready-made need neither."""
    heard = [name for name, spec in axes["datasets"].items() if not datasets.build(spec).given]
    for axis, example in (("encoders", "logmel: {name: logmel}"), ("poolings", "mean: {name: mean}")):
        if heard and not axes[axis]:
            raise ConfigError(
                place(files, [axis]),
                f"has no entry, but data set {heard[0]!r} is sound",
                f"Add one, e.g. {example}.",
            )


def _normal(registry, key: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    name = spec[key]
    member = registry.build({"name": name} | {k: v for k, v in spec.items() if k != key})
    return {key: name} | registry.adapter(name).dump_python(member, mode="json", by_alias=True)


def _entry(files, path: tuple[str, ...], registry, key: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return _normal(registry, key, spec)
    except AsdflowError as error:
        raise ConfigError(place(files, path), f"{error.where}: {error.what}", error.remedy) from None


def _detector(files, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    path = ("detectors", name)
    normalization = spec.get("normalization", {"name": "none"})
    several = normalization if isinstance(normalization, list) else [normalization]
    parts = [
        _entry(files, (*path, "normalization"), PARTS["normalization"], "name", part) for part in several
    ]
    normal = {
        "backend": _entry(files, (*path, "backend"), PARTS["backend"], "name", spec["backend"]),
        "normalization": parts if isinstance(normalization, list) else parts[0],
    }
    try:
        build.detector(normal)
    except AsdflowError as error:
        raise ConfigError(place(files, path), f"{error.where}: {error.what}", error.remedy) from None
    return normal
