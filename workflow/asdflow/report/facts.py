"""What the page says about the study: data, configuration, sources, versions; nothing about the host."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import PurePath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from asdflow.presentation.words import count, listed

if TYPE_CHECKING:
    from asdflow.presentation.results import Results
    from asdflow.products.study import Study

WARNINGS = 40  # most that are listed


@dataclass(frozen=True)
class ClipCounts:
    """One row of the table of data: clips of a machine and domain, and the recordings of each count."""

    machine: str
    domain: str
    sections: int
    train: int
    normal: int
    anomaly: int
    unlabelled: int
    supplemental: int
    seconds: str
    rate: str
    channels: str
    recordings: Mapping[str, int]

    @property
    def cut(self) -> bool:
        """Whether some recording gave several clips of a count."""
        return any(getattr(self, name) != number for name, number in self.recordings.items())


def clip_counts(results: Results, dataset: str) -> list[ClipCounts]:
    """Clips of every machine and domain of a data set."""
    import polars as pl

    clips = results.clips(dataset)
    rows = []
    for machine in results.machines(dataset):
        for domain in ("source", "target", None):
            here = clips.filter(
                pl.col("machine") == machine, pl.col("domain").eq_missing(pl.lit(domain, pl.String))
            )
            if here.is_empty():
                continue
            test = here.filter(pl.col("split") == "test")
            parts = {
                "train": here.filter(pl.col("split") == "train"),
                "normal": test.filter(pl.col("label") == "normal"),
                "anomaly": test.filter(pl.col("label") == "anomaly"),
                "unlabelled": test.filter(pl.col("label").is_null()),
                "supplemental": here.filter(pl.col("split") == "supplemental"),
            }
            rows.append(
                ClipCounts(
                    machine,
                    domain or "none",
                    here["section"].n_unique(),
                    **{name: part.height for name, part in parts.items()},
                    seconds=_span(here["duration_s"], 2),
                    rate=_span(here["sample_rate"], 0),
                    channels=_span(here["channels"], 0),
                    recordings={name: part["recording"].n_unique() for name, part in parts.items()},
                )
            )
    return rows


@dataclass(frozen=True)
class Oddities:
    """Warnings that the clips table recorded: how many clips have some, and the first of them."""

    clips: int
    total: int
    shown: tuple[tuple[str, str], ...]


def oddities(results: Results, dataset: str) -> Oddities:
    """Clips that are odd though they can be used."""
    import polars as pl

    clips = results.clips(dataset)
    odd = clips.filter(pl.col("warnings").list.len() > 0).sort("machine", "section", "clip")
    shown = [(row["clip"], "; ".join(row["warnings"])) for row in odd.head(WARNINGS).iter_rows(named=True)]
    return Oddities(odd.height, clips.height, tuple(shown))


@dataclass(frozen=True)
class Entry:
    """One entry of the configuration in words."""

    axis: str
    name: str
    what: str
    meaning: str


def entries(results: Results) -> list[Entry]:
    """Every encoder, pooling, detector and fusion: members with their parameters, and what they do."""
    from asdflow import backends, encoders, normalizations, poolings
    from asdflow import fusion as fusions

    study = results.study
    found = []
    for axis, registry, key in (
        ("encoder", encoders.REGISTRY, "encoders"),
        ("pooling", poolings.REGISTRY, "poolings"),
    ):
        for name, spec in getattr(study, key).items():
            shown = dict(spec) | ({"layers": results.layers[name]} if axis == "encoder" else {})
            found.append(Entry(axis, name, written(shown), _meaning(registry, spec)))
    for dataset in results.datasets:
        for name in results.given(dataset):
            found.append(
                Entry("encoder", name, "given", f"Vectors that came with data set {dataset}, one a clip.")
            )
    for name, spec in study.detectors.items():
        parts = [part for part in spec["normalization"] if part["name"] != "none"]
        what = ", then ".join(written(part) for part in (spec["backend"], *parts))
        meaning = [_meaning(backends.REGISTRY, spec["backend"])]
        meaning += [_meaning(normalizations.REGISTRY, part) for part in parts]
        found.append(Entry("detector", name, what, " ".join(meaning)))
    for name, spec in study.fusions.items():
        meaning = f"{_meaning(fusions.REGISTRY, spec)} Joins {listed(results.members(name))}."
        found.append(Entry("fusion", name, written(spec), meaning))
    return found


def written(spec: Mapping[str, Any]) -> str:
    """A specification read aloud, e.g. "knn (k 1, metric cosine)"; parameters that are unset are left out.

    Of an absolute path only the last part is told, as in `configuration`.
    """
    parts = [
        f"{key} {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}"
        for key, value in _plain(spec).items()
        if key != "name" and value is not None
    ]
    return f"{spec['name']} ({', '.join(parts)})" if parts else str(spec["name"])


@dataclass(frozen=True)
class Origin:
    """Where something comes from and under which terms."""

    what: str
    licence: str
    citation: str


def origins(results: Results, weights: Mapping[str, str] | None = None) -> list[Origin]:
    """Data sets and encoder weights with licence and citation; `weights` are hashes by encoder."""
    from asdflow import datasets
    from asdflow.pipeline import build

    found = []
    for name, spec in results.study.datasets.items():
        data = datasets.build(spec)
        own = (
            "computed by asdflow; no recordings"
            if data.simulated
            else "not stated here; that of the recordings' owner"
        )
        found.append(Origin(f"Data set {name}", data.licence or own, data.citation or ""))
    for name, spec in results.study.encoders.items():
        origin = _weights(f"Encoder {name}", build.encoder(spec))
        digest = (weights or {}).get(name)
        found.append(replace(origin, what=f"{origin.what} ({digest})") if digest else origin)
    return found


def _weights(what: str, encoder: Any) -> Origin:
    """Origin of an encoder's weights; it says so where nobody vouches for their bytes."""
    from asdflow.checkpoints import checkpoint, names

    reference, model = getattr(encoder, "checkpoint", None), getattr(encoder, "model", None)
    if reference is None and model is None:
        return Origin(what, "part of asdflow, no weights", "")
    note = "; UNVERIFIED: nobody vouches for these bytes" if getattr(encoder, "unverified", False) else ""
    if model is not None and encoder.revision is not None:
        where = f"{model} at commit {encoder.revision} of the Hugging Face hub"
        return Origin(f"{what}: {where}{note}", "not stated here; see its page there", "")
    if str(reference) in names():
        entry = checkpoint(str(reference))
        note = "" if entry.published else note
        return Origin(f"{what}: {entry.title}{note}", entry.licence, entry.citation)
    own = PurePath(str(reference or model)).name
    return Origin(f"{what}: {own}{note}", "not stated; of the user", "")


def configuration(study: Study) -> str:
    """The study as YAML. Of an absolute path only the last part is shown, as the rest says more of a host."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = None
    yaml.width = 100
    text = StringIO()
    yaml.dump(_plain(_as_written(study)), text)
    return text.getvalue()


def _as_written(study: Study) -> dict[str, Any]:
    """The study in the keys of a configuration, its sweeps written out as entries."""
    axes = ("datasets", "encoders", "poolings", "detectors", "fusions", "figures")
    shown = {key: getattr(study, key) for key in ("title", *axes, "metrics", "report")}
    shown["datasets"] = {
        name: {"kind": spec["name"]} | {key: value for key, value in spec.items() if key != "name"}
        for name, spec in study.datasets.items()
    }
    shown["fusions"] = {
        name: spec | {"members": study.members[name]} if name in study.members else spec
        for name, spec in study.fusions.items()
    }
    return shown


def grid(results: Results) -> list[str]:
    """Size of the study in words. Machines are counted by data set: the same ones may be in several."""
    study = results.study
    layers = sum(map(len, results.layers.values()))
    machines = [len(results.machines(dataset)) for dataset in results.datasets]
    if len(machines) == 1:
        data = ["1 data set", count(machines[0], "machine")]
    elif len(set(machines)) == 1:
        data = [f"{len(machines)} data sets of {count(machines[0], 'machine')} each"]
    else:
        data = [f"{len(machines)} data sets of {listed([*map(str, machines)])} machines"]
    encoders = count(len(study.encoders), "encoder")
    given = len({(dataset, name) for dataset in results.datasets for name in results.given(dataset)})
    heard = [
        encoders if layers == len(study.encoders) else f"{encoders} with {count(layers, 'layer')}",
        count(len(study.poolings), "pooling"),
    ]
    return [
        *data,
        *(heard if study.encoders else []),
        *([f"{count(given, 'kind')} of given vectors"] if given else []),
        count(len(study.detectors), "detector"),
        *([count(len(study.fusions), "fusion")] if study.fusions else []),
    ]


def _plain(value: Any) -> Any:
    """Plain values for YAML, every absolute path cut to its last part."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if not isinstance(value, PurePath | str):
        return value
    for path in (PurePath(value), PureWindowsPath(value)):
        if path.is_absolute() or str(value).startswith("~"):
            return f".../{path.name}"
    return str(value)


def _meaning(registry, spec: Mapping[str, Any]) -> str:
    """First sentence of a member's documentation."""
    text = inspect.getdoc(registry.member(spec["name"])) or ""
    return text.split("\n\n")[0].replace("\n", " ")


def _span(values, digits: int) -> str:
    low, high = values.min(), values.max()
    if low is None:  # vectors were given instead of sound
        return "–"
    texts = [
        f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:d}" for value in (low, high)
    ]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]} to {texts[1]}"
