"""Which files a study asks for, and what decides each: the part of the DAG that is not plain wiring.

Methods that take `wildcards` answer for one job, the others for the whole study. No product is read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from asdflow import checkpoints, datasets
from asdflow.config import Study
from asdflow.datasets import GIVEN
from asdflow.foundation.errors import ConfigError
from asdflow.pipeline import build
from asdflow.plan.digests import code_digest, schema_digest

FEATURES = "results/{stage}/{dataset}/{encoder}/{layer}/{pooling}"


class Plan:
    """Files and parameters of a study.

    Parameters
    ----------
    study : Study
        The checked configuration.
    base : path
        Working directory, which relative paths of the configuration refer to.
    """

    def __init__(self, study: Study, base: Path) -> None:
        self.study, self.base = study, base

    @property
    def patterns(self) -> dict[str, str]:
        """Constraints of the wildcards: the names of the study, and of what came ready-made."""
        given = [encoder for data in self.datasets.values() for encoder in data.given]
        names = {
            "dataset": [*self.study.datasets],
            "encoder": [*self.study.encoders, *given],
            "pooling": [*self.study.poolings, GIVEN],
            "detector": [*self.study.detectors],
        }
        return {key: "|".join(map(re.escape, dict.fromkeys(words))) for key, words in names.items()}

    # -- data sets -------------------------------------------------------------------------------------------

    @cached_property
    def datasets(self) -> Mapping[str, Any]:
        """Data-set objects by name."""
        return {name: datasets.build(spec) for name, spec in self.study.datasets.items()}

    @cached_property
    def machines(self) -> Mapping[str, list[str]]:
        """Machine names of every data set; known before anything was downloaded."""
        return {name: data.machine_names(name, self.base) for name, data in self.datasets.items()}

    def of_kind(self, kind: str) -> list[str]:
        """Names of the data sets of a kind."""
        return [name for name, spec in self.study.datasets.items() if spec["kind"] == kind]

    @property
    def with_sound(self) -> list[str]:
        """Names of the data sets that encoders hear; the others bring their vectors along."""
        return [name for name, data in self.datasets.items() if not data.given]

    def recordings(self, wildcards) -> list[str]:
        """What the clips table of a machine depends on: the user's files, or the folder a rule makes."""
        data = self.datasets[wildcards.dataset]
        kind = self.study.datasets[wildcards.dataset]["kind"]
        if kind == "factory":
            return [f"results/data/{wildcards.dataset}/{wildcards.machine}"]
        if kind == "dcase":
            return data.manifests(wildcards.machine) + data.label_files(self.base)
        return data.source_files(wildcards.dataset, self.base, wildcards.machine)

    def data_spec(self, wildcards) -> dict[str, Any]:
        """Options that decide a data set's recordings and clips table."""
        spec = self.study.datasets[wildcards.dataset]
        later = ("audio", "noise", "standardise", "licence", "citation")
        return {key: value for key, value in spec.items() if key not in later}

    def given_vectors(self, wildcards) -> list[str]:
        """Files of the vectors of one encoder that came with a data set."""
        data = self.datasets[wildcards.dataset]
        return data.vector_files(self.base, wildcards.encoder, wildcards.machine)

    def given_spec(self, wildcards) -> dict[str, Any]:
        """Options that decide the embeddings of a data set which brings its vectors along."""
        spec = self.study.datasets[wildcards.dataset]
        return {key: spec[key] for key in ("kind", "vectors", "standardise", "max_values")}

    def sound_spec(self, wildcards) -> dict[str, Any]:
        """Options that decide how a clip is read: channel, level, length, noise."""
        spec = self.study.datasets[wildcards.dataset]
        return {key: spec.get(key) for key in ("audio", "noise")}

    def clips(self, wildcards) -> list[str]:
        """Clips tables of every machine of a data set."""
        name = wildcards.dataset
        return [f"results/clips/{name}/{machine}.parquet" for machine in self.machines[name]]

    def lengths(self, wildcards) -> list[str]:
        """Clips tables that decide how long clips are made; none unless filled to the longest."""
        return self.clips(wildcards) if self.datasets[wildcards.dataset].audio.needs_longest else []

    def archive(self, wildcards) -> dict[str, Any]:
        """What decides an unpacked DCASE archive: its checksum, and where it is taken from."""
        data = dcase_entry(self.study.datasets, wildcards.store, wildcards.year)
        archive = next(each for each in data.archives(wildcards.machine) if each.part == wildcards.part)
        return {"file": archive.name, "md5": archive.md5, "data_dir": data.data_dir}

    def own_archive(self, wildcards) -> list[str]:
        """The user's own copy of a DCASE archive, if there is one."""
        data = dcase_entry(self.study.datasets, wildcards.store, wildcards.year)
        return data.own_files(self.base, wildcards.part, wildcards.machine)

    # -- files of the whole study ----------------------------------------------------------------------------

    def features(self, dataset: str) -> Iterator[dict[str, str]]:
        """Every (dataset, encoder, layer, pooling) of a data set."""
        for encoder in self.datasets[dataset].given:
            yield {"dataset": dataset, "encoder": encoder, "layer": GIVEN, "pooling": GIVEN}
        if self.datasets[dataset].given:
            return
        for encoder, layers in self.study.layers.items():
            for layer in layers:
                for pooling in self.study.poolings:
                    yield {"dataset": dataset, "encoder": encoder, "layer": layer, "pooling": pooling}

    def all_frames(self) -> list[str]:
        """Frames of every data set, encoder and machine."""
        return [
            f"results/frames/{dataset}/{encoder}/{machine}.parquet"
            for dataset in self.with_sound
            for encoder in self.study.encoders
            for machine in self.machines[dataset]
        ]

    def all_scores(self) -> list[str]:
        """Scores of every detector and fusion."""
        return [
            file
            for dataset in self.study.datasets
            for names in self.features(dataset)
            for system in self.systems
            for file in self.score_files(names, system)
        ]

    def all_metrics(self, dataset: str | None = None) -> list[str]:
        """Metrics of every encoder, layer and pooling, of one data set or of all."""
        chosen = [dataset] if dataset else list(self.study.datasets)
        return [self.metrics_file(names) for dataset in chosen for names in self.features(dataset)]

    @staticmethod
    def metrics_file(names: Mapping[str, str]) -> str:
        """Metrics of one dataset, encoder, layer and pooling."""
        return FEATURES.format(stage="metrics", **names) + ".parquet"

    def all_figures(self) -> list[str]:
        """Every figure of every data set."""
        return [
            f"results/figures/{dataset}/{figure}.svg"
            for dataset in self.study.datasets
            for figure in self.study.figures
        ]

    def all_clips(self) -> list[str]:
        """Clips tables of the whole study."""
        return [
            f"results/clips/{dataset}/{machine}.parquet"
            for dataset, machines in self.machines.items()
            for machine in machines
        ]

    # -- systems ---------------------------------------------------------------------------------------------

    @property
    def systems(self) -> dict[str, str]:
        """Name to kind of every system: detectors first, then fusions."""
        return dict.fromkeys(self.study.detectors, "detector") | dict.fromkeys(self.study.fusions, "fusion")

    def score_files(self, names, system: str) -> list[str]:
        """Score files of a system: one a machine of a detector, one in all of a fusion."""
        if self.systems[system] == "fusion":
            return [FEATURES.format(stage="fusion", **names) + f"/{system}.parquet"]
        folder = FEATURES.format(stage="scores", **names)
        return [f"{folder}/{system}/{machine}.parquet" for machine in self.machines[names["dataset"]]]

    @cached_property
    def detectors_of(self) -> Mapping[str, list[str]]:
        """Detectors of every backend: one job scores them together, on one bank."""
        result: dict[str, list[str]] = {}
        for name, spec in self.study.detectors.items():
            result.setdefault(spec["backend"]["name"], []).append(name)
        return result

    def specs_of(self, backend: str) -> dict[str, Any]:
        """Specifications of a backend's detectors, by name."""
        return {name: self.study.detectors[name] for name in self.detectors_of[backend]}

    def metrics_of(self, backend: str) -> list[str]:
        """Metrics whose distance files a backend's detectors share."""
        return sorted(
            {metric for name in self.detectors_of[backend] for metric in self.study.shared_metrics[name]}
        )

    def fused(self, wildcards) -> list[str]:
        """Score files that a fusion combines: those of its detectors, on every machine."""
        members = self.study.members[wildcards.fusion]
        return [file for detector in members for file in self.score_files(wildcards, detector)]

    def evaluated(self, wildcards) -> list[str]:
        """Score files behind one metrics file: every system and machine."""
        return [file for system in self.systems for file in self.score_files(wildcards, system)]

    def fused_systems(self, wildcards) -> list[str]:
        """Detector of each file of `fused`."""
        members = self.study.members[wildcards.fusion]
        return [name for name in members for _ in self.score_files(wildcards, name)]

    def evaluated_systems(self, wildcards) -> list[str]:
        """System of each file of `evaluated`."""
        return [name for name in self.systems for _ in self.score_files(wildcards, name)]

    def measure(self, wildcards) -> str:
        """Name of the official score of a data set's own year; "official" for data of no year."""
        return getattr(self.datasets[wildcards.dataset], "measure", "official")

    # -- what decides a product besides its inputs -----------------------------------------------------------

    def code(self, script: str, axis: str = "", entry: str = "") -> Callable:
        """Parameter function: digest of a script and of the member that `wildcards.<entry>` names.

        Parameters
        ----------
        script : str
            Script of the rule.
        axis : str
            Key of the configuration, e.g. "poolings".
        entry : str
            Wildcard that holds the entry's name, e.g. "pooling".
        """

        known: dict[tuple[str, ...], str] = {}  # code does not change while the DAG is built

        def digest(wildcards) -> str:
            modules: tuple[str, ...] = ()
            if axis:
                modules = tuple(member_modules(axis, getattr(self.study, axis)[getattr(wildcards, entry)]))
            if modules not in known:
                known[modules] = code_digest(script, *modules)
            return known[modules]

        return digest

    def code_of(self, backend: str) -> str:
        """Digest of everything that decides the scores of a backend's detectors."""
        specs = self.specs_of(backend).values()
        return code_digest(
            "scores", *{module for spec in specs for module in member_modules("detectors", spec)}
        )

    def figure_code(self, wildcards) -> str:
        """Digest of everything that draws the figures of the study."""
        modules = [
            module for spec in self.study.figures.values() for module in member_modules("figures", spec)
        ]
        return code_digest("figures", *modules)

    @staticmethod
    def schema(kind: str) -> str:
        """Digest of a product's schema."""
        return schema_digest(kind)

    # -- weights ---------------------------------------------------------------------------------------------

    @property
    def checkpoint_folder(self) -> Path:
        """Where weight files lie."""
        return checkpoints.default_folder()

    @staticmethod
    def hub_folder(model: str, revision: str) -> Path:
        """Where a commit of a hub model lies."""
        return checkpoints.hub_folder(model, revision)

    def checkpoints(self, wildcards) -> list[str]:
        """Weight files that an encoder reads; none for transforms without weights."""
        return build.encoder(self.study.encoders[wildcards.encoder]).weight_files()

    def checkpoint_entry(self, wildcards) -> dict[str, Any]:
        """Name and hash of the checkpoint that a file should be, and whether it may be one without a hash."""
        for name in checkpoints.names():
            entry = checkpoints.checkpoint(name)
            if entry.file == wildcards.file:
                asking = [spec for spec in self.study.encoders.values() if spec.get("checkpoint") == name]
                accepted = entry.published is None and any(spec.get("unverified") for spec in asking)
                return {"name": name, "hash": " ".join(entry.published or ()), "unverified": accepted}
        raise ConfigError(wildcards.file, "is no registered checkpoint", "See `asdflow encoders`.")

    # -- inputs of figures and report ------------------------------------------------------------------------

    def drawn(self, wildcards) -> list[str]:
        """Score files of a data set: every system."""
        return [
            file
            for names in self.features(wildcards.dataset)
            for system in self.systems
            for file in self.score_files(names, system)
        ]

    def noise(self, wildcards) -> list[str]:
        """Noise recordings that are mixed into a data set."""
        return self.datasets[wildcards.dataset].noise_files(self.base)


def dcase_entry(entries: Mapping[str, Mapping[str, Any]], store: str, year: str | int):
    """Data set of kind dcase that fills a store with a year, whatever its entry is called.

    Several entries may share a store; all of their machines and subsets are asked of this one.
    """
    for spec in entries.values():
        if spec["kind"] == "dcase" and spec["year"] == int(year) and spec.get("store", "data") == store:
            shared = {
                key: spec[key] for key in ("kind", "year", "data_dir", "keep_zip", "store") if key in spec
            }
            return datasets.build(shared)
    raise ConfigError(f"{store}/dcase{year}", "belongs to no data set of the study", "Name it in `datasets`.")


def member_modules(axis: str, spec: Mapping[str, Any]) -> list[str]:
    """Modules of the members that a specification names, e.g. ["asdflow.poolings.gem"]."""
    if axis == "detectors":
        several = spec["normalization"]
        parts = several if isinstance(several, list) else [several]
        return [f"asdflow.backends.{spec['backend']['name']}"] + [
            f"asdflow.normalizations.{part['name']}" for part in parts
        ]
    package = {"fusions": "fusion"}.get(axis, axis)
    return [f"asdflow.{package}.{spec.get('kind') or spec['name']}"]
