"""DCASE Challenge Task 2, 2020 to 2026: downloaded, verified, unpacked and indexed.

datasets:
  dcase2023_development: {kind: dcase, year: 2023, subsets: [development]}
  dcase2024: {kind: dcase, year: 2024, data_dir: /data/dcase}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from asdflow.clips.rows import ClipRow
from asdflow.datasets import build, register
from asdflow.datasets.base import Recordings
from asdflow.datasets.dcase.entries import SUBSETS
from asdflow.datasets.dcase.registry import Archive, load
from asdflow.download import Policy
from asdflow.foundation.errors import ConfigError, nearest
from asdflow.foundation.names import require_path

Subset = Literal["development", "evaluation"]


@register("dcase")
@dataclass(frozen=True, kw_only=True)
class Dcase(Recordings):
    """One year of DCASE Task 2, or some machines of it.

    A machine of `evaluation` has its training clips from the additional training set and its test clips from
    the evaluation set; their labels come from the organisers' list (2020 to 2025), or from their evaluator,
    which `labels` names.
    Where a machine is in both subsets (2020 to 2022), their sections stand side by side.
    """

    year: Annotated[int, Field(ge=2020, le=2026, description="Year of the challenge.")]
    subsets: Annotated[
        tuple[Subset, ...],
        Field(
            strict=False, min_length=1, description="Which machines: of development, of evaluation, of both."
        ),
    ] = ("development", "evaluation")
    machines: Annotated[
        tuple[str, ...] | None,
        Field(strict=False, min_length=1, description="Only these machines. Default: all of the subsets."),
    ] = None
    data_dir: Annotated[
        str | None,
        Field(description="Your own zips or unpacked folders; checked, used in place. Default: download."),
    ] = None
    labels: Annotated[
        str | None,
        Field(
            description="Your own list of evaluation labels, or the folder ground_truth_attributes of the "
            "organisers' evaluator. Default: the published list, fetched and verified."
        ),
    ] = None
    keep_zip: Annotated[bool, Field(description="Keep a downloaded zip after unpacking.")] = True
    store: Annotated[
        str, Field(min_length=1, description="Folder of downloads and unpacked clips, shared by all entries.")
    ] = "data"

    def __post_init__(self) -> None:
        for option in ("store", "data_dir", "labels"):
            if (path := getattr(self, option)) is not None:
                require_path(path, option)
        known = self._known_machines()
        for machine in self.machines or ():
            if machine not in known:
                raise ConfigError(
                    f"dataset of kind 'dcase', machine {machine!r}",
                    f"is not in {' or '.join(self.subsets)} of {self.year}",
                    nearest(machine, known),
                )

    def _known_machines(self) -> list[str]:
        year = load().year(self.year)
        return sorted({machine for subset in self.subsets for machine in year.machines(subset)})

    @property
    def measure(self) -> str:
        """Name of the official score of the year."""
        from asdflow.metrics import measure_of_year

        return measure_of_year(self.year)

    @property
    def licence(self) -> str:
        """Terms of the recordings, for the report."""
        return load().year(self.year).licence

    @property
    def citation(self) -> str:
        """Papers to cite, for the report."""
        return "; ".join(load().year(self.year).citation)

    @property
    def default_channel(self) -> str | int:
        """Channel 0, near the machine, for 2026, whose clips have two; channel 1 is far from it.

        In published scores the mean of both costs 4.75 points of the official score.
        """
        return 0 if self.year == 2026 else "mix"

    def machine_names(self, name: str, base: Path) -> list[str]:
        """Sorted machines, from the registry."""
        return sorted(set(self.machines)) if self.machines else self._known_machines()

    def root(self, name: str, base: Path) -> Path:
        """Folder of the year in the store; entries of one year share it."""
        return Path(base) / self.store / f"dcase{self.year}"

    def source_files(self, name: str, base: Path, machine: str) -> list[str]:
        """The user's own lists of labels, where they are given; archives are the business of `obtain`."""
        return self.label_files(base) if self.labels else []

    def made_files(self, name: str, machine: str) -> list[str]:
        """Manifests of the archives, and the published list of labels."""
        published = self.label_list()
        return self.manifests(machine) + ([published] if published else [])

    def clip_rows(self, name: str, base: Path, machine: str) -> list[ClipRow]:
        """Clips of a machine, counted against the registry, with the labels of evaluation clips."""
        from asdflow.datasets.dcase.index import index
        from asdflow.datasets.dcase.labels import read_labels

        labels = self.labels if "evaluation" in self.subsets and self.labels else self.label_list()
        return index(
            load(),
            self.root(name, base),
            self.year,
            self.subsets,
            machine,
            read_labels(Path(base) / labels, self.year) if labels else None,
        )

    # -- for the rules that make the store -------------------------------------------------------------------

    def archives(self, machine: str) -> list[Archive]:
        """Zips that a machine consists of: one for development, two for evaluation."""
        registry = load()
        return [
            archive
            for subset in self.subsets
            if machine in registry.year(self.year).machines(subset)
            for archive in registry.archives(self.year, subset, machine)
        ]

    def manifests(self, machine: str) -> list[str]:
        """Products of `obtain`, relative to the working directory: what the clips table depends on."""
        from asdflow.datasets.dcase.store import manifest_file

        return [str(manifest_file(self.store, archive)) for archive in self.archives(machine)]

    def own_files(self, base: Path, part: str, machine: str) -> list[str]:
        """Files of the user that `obtain` works from, as Snakemake inputs; empty without data_dir."""
        from asdflow.datasets.dcase import own

        if not self.data_dir:
            return []
        found = own.find(Path(base) / self.data_dir, load().archive(self.year, part, machine))
        if found.folder is None:
            return [str(path) for path in found.zips]
        return [str(found.folder / name) for name in own.sizes(found.folder)]

    def label_list(self) -> str | None:
        """Product of `obtain_labels`, relative to the working directory; None where there is none."""
        labels = load().year(self.year).labels
        if labels is None or self.labels or "evaluation" not in self.subsets:
            return None
        return f"{self.store}/dcase{self.year}/labels/{labels.file}"

    def label_files(self, base: Path) -> list[str]:
        """What the labels of evaluation clips are read from: the user's files, or the product of a rule."""
        from asdflow.datasets.dcase.labels import own_files

        if self.labels and "evaluation" in self.subsets:
            return [str(path) for path in own_files(Path(base) / self.labels)]
        published = self.label_list()
        return [published] if published else []

    def obtain(self, base: Path, part: str, machine: str, policy: Policy | None = None) -> Path:
        """Download (or find in data_dir), check and unpack one archive; returns its manifest."""
        from asdflow.datasets.dcase.store import obtain

        registry = load()
        return obtain(
            registry,
            registry.archive(self.year, part, machine),
            Path(base) / self.store,
            data_dir=Path(base) / self.data_dir if self.data_dir else None,
            keep_zip=self.keep_zip,
            policy=policy,
        )

    def obtain_labels(self, base: Path, policy: Policy | None = None) -> Path | None:
        """Download the year's list of evaluation labels; None where `label_list` is None."""
        from asdflow.datasets.dcase.labels import fetch_labels

        labels = self.label_list()
        return fetch_labels(load(), self.year, Path(base) / labels, policy) if labels else None


def of_store(entries: Mapping[str, Mapping[str, Any]], store: str, year: str | int) -> Dcase:
    """Data set that fills a store with a year, whatever its entry is called.

    Several entries of a configuration may share a store; all of their machines and subsets are asked of this
    one. Raises ConfigError where no entry fills it.
    """
    shared = ("year", "data_dir", "keep_zip", "store")
    for spec in entries.values():
        kind = spec.get("kind", spec.get("name"))
        if kind == "dcase" and spec["year"] == int(year) and spec.get("store", "data") == store:
            return build({"kind": kind} | {key: spec[key] for key in shared if key in spec})
    raise ConfigError(f"{store}/dcase{year}", "belongs to no data set of the study", "Name it in `datasets`.")


__all__ = ["SUBSETS", "Dcase", "of_store"]
