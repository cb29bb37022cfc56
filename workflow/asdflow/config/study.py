"""A checked configuration, in normal form: every default filled in, every member built once to prove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asdflow import build, datasets
from asdflow.config.explain import explain, place
from asdflow.config.models import StudyModel
from asdflow.config.schema import AXES, PARTS, schema
from asdflow.errors import AsdflowError, ConfigError


@dataclass(frozen=True)
class Study:
    """One study. Each axis maps an entry's name to its specification in normal form.

    The normal form holds every parameter, so writing a default out does not redo anything, while a changed
    default does.
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
    layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shared_metrics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionary of the specifications, for the report."""
        names = ("title", *AXES, "detectors", "metrics", "report")
        return {name: getattr(self, name) for name in names} | {
            "layers": {name: list(layers) for name, layers in self.layers.items()}
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
    axes = {
        axis: {
            str(name): _entry(files, (axis, str(name)), registry, key, spec)
            for name, spec in getattr(model, axis).items()
        }
        for axis, (registry, key) in AXES.items()
    }
    _require_features(files, axes)
    if not axes["figures"]:
        registry = AXES["figures"][0]
        axes["figures"] = {name: _normal(registry, "name", {"name": name}) for name in registry.names()}
    detectors = {str(name): _detector(files, str(name), spec) for name, spec in model.detectors.items()}
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
        metrics=model.metrics.model_dump(),
        report=model.report.model_dump(),
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
