"""From a configuration to a checked study: every default filled in, every member built once to prove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from asdflow import datasets
from asdflow.config import reading, sweeps
from asdflow.config.models import StudyModel
from asdflow.config.reading import place
from asdflow.config.schema import AXES, NAMED_BY, PARTS
from asdflow.foundation.errors import AsdflowError, ConfigError, nearest
from asdflow.foundation.registry import Registry
from asdflow.foundation.validation import Keys, OptionError, explained
from asdflow.pipeline import build
from asdflow.products.study import Study, Sweep, Traits

Files = Sequence[Path]
_MEMBERS = TypeAdapter(Annotated[list[str], Field(min_length=1)])


def read(files: Sequence[str | Path], settings: Sequence[str] = ()) -> Study:
    """The checked study of some configuration files and settings; raises as `reading.read` and `load`."""
    return load(reading.read(files, settings), files)


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
    try:
        model = StudyModel.model_validate(config)
    except ValidationError as error:
        raise _error(files, *explained(error, config, StudyModel.model_json_schema())) from None
    poolings, swept_poolings = _swept(files, "poolings", model.poolings)
    detectors, swept_detectors = _swept(files, "detectors", model.detectors)
    fusions, wanted = _without_members(files, model.fusions)
    entries = {axis: getattr(model, axis) for axis in AXES} | {"fusions": fusions}
    axes = {
        axis: {name: _entry(files, (axis, name), registry, _named(files, axis, name, spec))
               for name, spec in entries[axis].items()}
        for axis, registry in AXES.items() if axis != "poolings"
    }  # fmt: skip
    axes["poolings"] = {
        name: _entry(files, ("poolings", origin), AXES["poolings"], spec)
        for name, (origin, spec) in poolings.items()
    }
    axes["detectors"] = {
        name: _detector(files, origin, spec, model.detectors[origin])
        for name, (origin, spec) in detectors.items()
    }
    data = {name: datasets.build(spec) for name, spec in axes["datasets"].items()}
    _require_features(files, [name for name in data if not data[name].given], axes)
    if not axes["figures"]:
        axes["figures"] = _figures(bool(swept_poolings or swept_detectors))
    members = {
        name: _members(files, name, wanted[name], list(axes["detectors"]), swept_detectors)
        for name in axes["fusions"]
    }
    _require_names(files, axes, model.report.system)
    built = {name: build.detector(spec) for name, spec in axes["detectors"].items()}
    traits = {name: Traits.of(one, one.backend, *one.normalizations) for name, one in built.items()}
    traits |= {
        name: Traits.of(build.fusion(spec), *(traits[one] for one in members[name]))
        for name, spec in axes["fusions"].items()
    }
    return Study(
        title=model.title,
        **axes,
        metrics=model.metrics.model_dump(),
        report=model.report.model_dump(),
        sweeps={"poolings": swept_poolings, "detectors": swept_detectors},
        members=members,
        layers={name: tuple(build.encoder(spec).layers) for name, spec in axes["encoders"].items()},
        given={name: tuple(one.given) for name, one in data.items()},
        simulated=tuple(name for name, one in data.items() if one.simulated),
        traits=traits,
        shared_metrics={name: tuple(one.metrics) for name, one in built.items()},
        extraction=model.extraction.model_dump(),
    )


def _error(files: Files, keys: Keys, what: str, remedy: str) -> ConfigError:
    return ConfigError(place(files, keys), what, remedy)


def _swept(
    files: Files, axis: str, entries: Mapping[str, Any]
) -> tuple[dict[str, tuple[str, Any]], dict[str, Sweep]]:
    """Entries of an axis with its sweeps written out: name to (entry it came from, specification)."""
    found: dict[str, tuple[str, Any]] = {}
    swept = {}
    for origin, entry in entries.items():
        if axis == "detectors":
            spec = _parts(files, origin, entry)
            specs, sweep = _at(files, (axis, origin), sweeps.of_detector, origin, spec, written=entry)
        else:
            spec = _named(files, axis, origin, entry)
            specs, sweep = _at(files, (axis, origin), sweeps.of_member, origin, spec, AXES[axis])
        for name, one in specs.items():
            if name in found:
                raise _error(
                    files,
                    (axis, origin),
                    f"the name {name!r} is used by the entries {found[name][0]!r} and {origin!r}",
                    "Rename one of them; a sweep calls its members after entry, parameter and value.",
                )
            found[name] = (origin, one)
        if sweep is not None:
            swept[origin] = sweep
    return found, swept


def _at(files: Files, path: Keys, make, *arguments, written: Any = None) -> Any:
    """`make(*arguments)`; its error names file, line and key of the entry as it is `written`."""
    try:
        return make(*arguments)
    except OptionError as error:
        keys = error.keys
        if keys[:1] == ("normalization",) and not isinstance(written["normalization"], list):
            keys = (keys[0], *keys[2:])  # one, of which the normal form makes a list
        raise _error(files, (*path, *keys), error.what, error.remedy) from None
    except AsdflowError as error:  # of a member's own check: it names its parameter in `where`
        raise _error(files, path, f"{error.where}: {error.what}", error.remedy) from None


def _named(files: Files, axis: str, name: str, spec: Any) -> dict[str, Any]:
    """An entry whose member is known, called by `name` whatever the configuration calls it."""
    return _member(files, (axis, name), AXES[axis], spec, NAMED_BY.get(axis, "name"))


def _member(files: Files, path: Keys, registry: Registry, spec: Any, key: str = "name") -> dict[str, Any]:
    if not isinstance(spec, Mapping):
        remedy = f"Write it as {{{key}: ..., option: value}}."
        raise _error(files, path, f"{spec!r} is not of type 'options'", remedy)
    if key not in spec:
        remedy = f"Add it; one of {', '.join(registry.names())}."
        raise _error(files, path, f"the key {key!r} is missing", remedy)
    if spec[key] not in registry.names():
        remedy = nearest(spec[key], registry.names())
        raise _error(files, (*path, key), f"{spec[key]!r} is not known", remedy)
    if key != "name" and "name" in spec:
        known = [key, *registry.adapter(spec[key]).json_schema().get("properties", {})]
        raise _error(files, (*path, "name"), "key 'name' is not known", nearest("name", known))
    return {"name": spec[key]} | {option: value for option, value in spec.items() if option != key}


def _parts(files: Files, name: str, spec: Any) -> dict[str, Any]:
    """A detector whose members are known, its normalization a list."""
    path = ("detectors", name)
    if not isinstance(spec, Mapping):
        remedy = "Write it as {backend: {name: ...}, normalization: {name: ...}}."
        raise _error(files, path, f"{spec!r} is not of type 'options'", remedy)
    for key in spec:
        if key not in PARTS:
            raise _error(files, (*path, key), f"key {key!r} is not known", nearest(key, PARTS))
    if "backend" not in spec:
        raise _error(files, path, "the key 'backend' is missing", "Add it.")
    several = spec.get("normalization", {"name": "none"})
    ways: list[Keys] = [("normalization",)]
    if isinstance(several, list):
        ways = [("normalization", number) for number in range(len(several))]
    else:
        several = [several]
    return {
        "backend": _member(files, (*path, "backend"), PARTS["backend"], spec["backend"]),
        "normalization": [
            _member(files, (*path, *way), PARTS["normalization"], part)
            for way, part in zip(ways, several, strict=True)
        ]
        or [{"name": "none"}],
    }


def _entry(files: Files, path: Keys, registry: Registry, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter of a member."""
    member = _at(files, path, registry.build, spec)
    written = registry.adapter(spec["name"]).dump_python(member, mode="json", by_alias=True)
    return {"name": spec["name"]} | written


def _detector(files: Files, name: str, spec: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter of a detector's members, which go together."""
    path = ("detectors", name)
    listed = isinstance(written.get("normalization"), list)
    normal = {
        "backend": _entry(files, (*path, "backend"), PARTS["backend"], spec["backend"]),
        "normalization": [
            _entry(
                files, (*path, "normalization", *([number] if listed else [])), PARTS["normalization"], part
            )
            for number, part in enumerate(spec["normalization"])
        ],
    }
    _at(files, path, build.detector, normal)
    return normal


def _without_members(files: Files, entries: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fusion entries without their option `members`, and that option of each (None where it is absent)."""
    specs, wanted = {}, {}
    for name, spec in entries.items():
        option = spec.get("members") if isinstance(spec, Mapping) else None
        if option is not None:
            try:
                _MEMBERS.validate_python(option, strict=True)
            except ValidationError as error:
                keys, what, remedy = explained(error, option, _MEMBERS.json_schema())
                raise _error(files, ("fusions", name, "members", *keys), what, remedy) from None
            if len(set(option)) < len(option):
                what = f"{option!r} has non-unique elements"
                raise _error(files, ("fusions", name, "members"), what, "Name each detector once.")
            spec = {key: value for key, value in spec.items() if key != "members"}
        specs[name], wanted[name] = spec, option
    return specs, wanted


def _members(
    files: Files,
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
            raise _error(
                files,
                ("fusions", fusion, "members", number),
                f"{name!r} is neither a detector nor a sweep of detectors",
                nearest(name, [*detectors, *swept]),
            )
        chosen |= set(swept[name].members) if name in swept else {name}
    if not chosen:
        raise _error(
            files,
            ("fusions", fusion),
            "joins nothing: every detector of the study is part of a sweep",
            f"Name detectors or sweeps, e.g. members: [{next(iter(swept))}].",
        )
    return tuple(name for name in detectors if name in chosen)


def _figures(swept: bool) -> dict[str, dict]:
    """Every registered figure; one that shows sweeps only where there are any."""
    registry = AXES["figures"]
    return {
        name: _entry((), (), registry, {"name": name})
        for name in registry.names()
        if swept or not registry.member(name).needs_sweeps
    }


def _require_features(files: Files, heard: Sequence[str], axes: Mapping[str, Mapping[str, dict]]) -> None:
    """Sound needs an encoder and a pooling; vectors that came ready-made need neither."""
    for axis, example in (("encoders", "logmel: {name: logmel}"), ("poolings", "mean: {name: mean}")):
        if heard and not axes[axis]:
            what = f"has no entry, but data set {heard[0]!r} is sound"
            raise _error(files, (axis,), what, f"Add one, e.g. {example}.")


def _require_names(files: Files, axes: Mapping[str, Mapping[str, dict]], shown: str | None) -> None:
    """Names of systems: each once, and among them the one that the report shows."""
    for name in sorted(set(axes["detectors"]) & set(axes["fusions"])):
        what = f"the name {name!r} is used by a detector and by a fusion"
        raise _error(files, ("fusions", name), what, "Rename one of them; both appear in one leaderboard.")
    systems = [*axes["detectors"], *axes["fusions"]]
    if shown is not None and shown not in systems:
        what = f"{shown!r} is neither a detector nor a fusion"
        raise _error(files, ("report", "system"), what, f"Choose one of {', '.join(systems)}.")
