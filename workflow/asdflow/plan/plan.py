"""Which files a study asks for, and what decides each: the part of the DAG that is not plain wiring.

Methods that take `wildcards` answer for one job, the others for the whole study. No product is read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from asdflow import datasets
from asdflow.config.schema import AXES, PARTS
from asdflow.datasets.base import Dataset
from asdflow.pipeline import build
from asdflow.plan.contents import Contents
from asdflow.plan.digests import code_digest, schema_digest
from asdflow.plan.weights import Weights
from asdflow.products import layout
from asdflow.products.layout import Grid
from asdflow.products.study import GIVEN, Study

FEATURE = ("dataset", "encoder", "layer", "pooling")
CPU_MB, GPU_MB = 3000, 8000  # a base-size network; CUDA's libraries and larger batches as well
NONE = "(?!)"  # a pattern that nothing matches


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
        self._digests: dict[tuple[str, ...], str] = {}
        self._contents = Contents(base)
        self.weights = Weights(study, self._contents)

    @cached_property
    def datasets(self) -> Mapping[str, Dataset]:
        """Data-set objects by name."""
        return {name: datasets.build(spec) for name, spec in self.study.datasets.items()}

    @cached_property
    def machines(self) -> Mapping[str, list[str]]:
        """Machine names of every data set; known before anything was downloaded."""
        return {name: data.machine_names(name, self.base) for name, data in self.datasets.items()}

    @cached_property
    def grid(self) -> Grid:
        """The products of the study."""
        return Grid(self.study, self.machines)

    # -- patterns of wildcards -------------------------------------------------------------------------------

    @property
    def patterns(self) -> dict[str, str]:
        """Constraints of the wildcards: the names of the study, and of what came ready-made."""
        given = [encoder for encoders in self.study.given.values() for encoder in encoders]
        return {
            "dataset": _any(self.study.datasets),
            "encoder": _any([*self.study.encoders, *given]),
            "pooling": _any([*self.study.poolings, GIVEN]),
            "backend": _any(self.study.backends),
            "fusion": _any(self.study.fusions),
            "figure": _any(self.study.figures),
        }

    @property
    def simulated(self) -> str:
        """Pattern of the data sets whose sound is computed."""
        return _any(self.study.simulated)

    @property
    def with_sound(self) -> str:
        """Pattern of the data sets that encoders hear."""
        return _any(name for name, given in self.study.given.items() if not given)

    @property
    def with_vectors(self) -> str:
        """Pattern of the data sets that bring their vectors along."""
        return _any(name for name, given in self.study.given.items() if given)

    # -- data sets -------------------------------------------------------------------------------------------

    def recordings(self, wildcards) -> list[str]:
        """What the clips table of a machine depends on: the user's files, or what a rule makes."""
        data, name, machine = self._data(wildcards), wildcards.dataset, wildcards.machine
        return data.made_files(name, machine) + data.source_files(name, self.base, machine)

    def recorded(self, wildcards) -> str:
        """Digest of the bytes of the user's files behind a clips table, whatever their time stamps say."""
        files = self._data(wildcards).source_files(wildcards.dataset, self.base, wildcards.machine)
        return self._contents.digest(files)

    def heard(self, wildcards) -> str:
        """Digest of the bytes of noise recordings and of weights that the user brings."""
        return self._contents.digest(self.noise(wildcards) + self.weights.own(wildcards.encoder))

    def vectors_given(self, wildcards) -> str:
        """Digest of the bytes of `given_vectors`."""
        return self._contents.digest(self.given_vectors(wildcards))

    def root(self, wildcards) -> str:
        """Folder that the paths of a data set's clips are relative to."""
        return str(self._data(wildcards).root(wildcards.dataset, Path()))

    def data_spec(self, wildcards) -> dict[str, Any]:
        """Options that decide a data set's recordings and clips table."""
        later = self._data(wildcards).later
        spec = self.study.datasets[wildcards.dataset]
        return {key: value for key, value in spec.items() if key not in later}

    def sound_spec(self, wildcards) -> dict[str, Any]:
        """Options that decide how a clip is read: channel, level, length, noise."""
        spec = self.study.datasets[wildcards.dataset]
        return {key: spec.get(key) for key in ("audio", "noise")}

    def lengths(self, wildcards) -> list[str]:
        """Clips tables that decide how long clips are made; none unless filled to the longest."""
        return self.clips(wildcards) if self._data(wildcards).needs_longest else []

    def clips(self, wildcards) -> list[str]:
        """Clips tables of every machine of a data set."""
        return self.grid.files("clips", dataset=wildcards.dataset)

    def noise(self, wildcards) -> list[str]:
        """Noise recordings that are mixed into a data set."""
        return self._data(wildcards).noise_files(self.base)

    def given_vectors(self, wildcards) -> list[str]:
        """Files of the vectors of one encoder that came with a data set."""
        return self._data(wildcards).vector_files(self.base, wildcards.encoder, wildcards.machine)

    def given_spec(self, wildcards) -> dict[str, Any]:
        """Options that decide the embeddings of a data set which brings its vectors along."""
        spec = self.study.datasets[wildcards.dataset]
        return {key: spec[key] for key in ("name", "vectors", "standardise", "max_values")}

    def archive(self, wildcards) -> dict[str, Any]:
        """What decides an unpacked DCASE archive: its checksum, and where it is taken from."""
        data = self._of_store(wildcards)
        archive = next(each for each in data.archives(wildcards.machine) if each.part == wildcards.part)
        return {"file": archive.name, "md5": archive.md5, "data_dir": data.data_dir}

    def own_archive(self, wildcards) -> list[str]:
        """The user's own copy of a DCASE archive, if there is one."""
        return self._of_store(wildcards).own_files(self.base, wildcards.part, wildcards.machine)

    def measure(self, wildcards) -> str:
        """Name of the official score of a data set's own year; "official" for data of no year."""
        return self._data(wildcards).measure

    def _data(self, wildcards) -> Dataset:
        return self.datasets[wildcards.dataset]

    def _of_store(self, wildcards):
        from asdflow.datasets.dcase import of_store

        return of_store(self.study.datasets, wildcards.store, wildcards.year)

    # -- extraction: shards, device and memory, none of which decides a number -------------------------------

    @property
    def whole(self) -> str:
        """Pattern of the encoders whose frames one job extracts."""
        return NONE if self._shards > 1 else _any(self.study.encoders)

    @property
    def split(self) -> str:
        """Pattern of the encoders whose frames are extracted in shards."""
        return _any(self.study.encoders) if self._shards > 1 else NONE

    def shards(self, wildcards) -> list[str]:
        """Frames of every shard of a machine, in the order in which they are joined."""
        names = {key: wildcards[key] for key in ("dataset", "encoder", "machine")}
        numbers = range(1, self._shards + 1)
        return [layout.path("shards", shard=one, shards=self._shards, **names) for one in numbers]

    def gpu(self, wildcards) -> int:
        """GPUs that a job needs: 1 where the encoder runs on one."""
        return int(self._encoder(wildcards).runs_on == "cuda")

    def mem_mb(self, wildcards) -> int:
        """Main memory of a job."""
        return CPU_MB if self._encoder(wildcards).runs_on == "cpu" else GPU_MB

    @property
    def _shards(self) -> int:
        return self.study.extraction["shards"]

    def _encoder(self, wildcards):
        return build.encoder(self.study.encoders[wildcards.encoder])

    # -- scores and what is made of them ---------------------------------------------------------------------

    def score_files(self, system: str, **names: str) -> list[str]:
        """Tables that hold the scores of a system: of its backend, one a machine; or of a fusion."""
        if self.study.systems[system] == "fusion":
            return self.grid.files("fusion", fusion=system, **names)
        return self.grid.files("scores", backend=self.study.detectors[system]["backend"]["name"], **names)

    def all_scores(self, **names: str) -> list[str]:
        """Scores of every detector and fusion."""
        return self.grid.files("scores", **names) + self.grid.files("fusion", **names)

    def distances(self, wildcards) -> list[str]:
        """Distances that a backend's detectors share."""
        names = {key: wildcards[key] for key in (*FEATURE, "machine")}
        detectors = self.study.backends[wildcards.backend]
        metrics = {metric for name in detectors for metric in self.study.shared_metrics[name]}
        return self.grid.files("distances", metric=sorted(metrics), **names)

    def detectors(self, wildcards) -> dict[str, Any]:
        """Specifications of a backend's detectors, by name."""
        return {name: self.study.detectors[name] for name in self.study.backends[wildcards.backend]}

    def fused(self, wildcards) -> list[str]:
        """Tables that hold the scores of a fusion's detectors, on every machine."""
        members = self.study.members[wildcards.fusion]
        backends = {self.study.detectors[name]["backend"]["name"] for name in members}
        return self.grid.files("scores", backend=backends, **{key: wildcards[key] for key in FEATURE})

    def evaluated(self, wildcards) -> list[str]:
        """Tables behind one metrics file: every system and machine."""
        return self.all_scores(**{key: wildcards[key] for key in FEATURE})

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

        def digest(wildcards) -> str:
            if not axis:
                return self._digest(script)
            return self._digest(script, AXES[axis].module(getattr(self.study, axis)[wildcards[entry]]))

        return digest

    def scores_code(self, wildcards) -> str:
        """Digest of everything that decides the scores of a backend's detectors."""
        specs = self.detectors(wildcards).values()
        modules = {PARTS["backend"].module(spec["backend"]) for spec in specs}
        modules |= {PARTS["normalization"].module(one) for spec in specs for one in spec["normalization"]}
        backends = [PARTS["backend"].build(spec["backend"]) for spec in specs]
        libraries = sorted({library for backend in backends for library in backend.libraries})
        return self._digest("scores", "asdflow.pipeline.detector", *sorted(modules), libraries=libraries)

    def figures_code(self, wildcards) -> str:
        """Digest of everything that draws the figures of the study."""
        return self._digest("figures", *map(AXES["figures"].module, self.study.figures.values()))

    def report_code(self, wildcards) -> str:
        """Digest of everything that makes the report, which prints what members say of themselves."""
        modules = {AXES[axis].module(spec) for axis in AXES for spec in getattr(self.study, axis).values()}
        for spec in self.study.detectors.values():
            modules |= {PARTS["backend"].module(spec["backend"])}
            modules |= {PARTS["normalization"].module(one) for one in spec["normalization"]}
        return self._digest("report", *sorted(modules))

    def _digest(self, *names: str, libraries: Sequence[str] = ()) -> str:
        """`code_digest`, once: code does not change while the DAG is built."""
        key = (*names, "libraries", *libraries)
        if key not in self._digests:
            self._digests[key] = code_digest(*names, libraries=libraries)
        return self._digests[key]

    @staticmethod
    def schema(kind: str) -> str:
        """Digest of a product's schema."""
        return schema_digest(kind)


def _any(names) -> str:
    """Pattern that matches the names and nothing else."""
    return "|".join(map(re.escape, dict.fromkeys(names))) or NONE
