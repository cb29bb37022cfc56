"""The finished products of a study as tidy tables, for figures, the report and notebooks.

Only the files that the study itself asks for are read, so results that an earlier configuration left in the
folder never show up.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdflow.datasets import GIVEN
from asdflow.foundation.errors import ConfigError, DataError
from asdflow.products import tables

if TYPE_CHECKING:
    import polars as pl

ALL = "all"
OFFICIAL = "official"
FLOOR = sys.float_info.epsilon  # of every term of the official score
METRIC_NAMES = {
    "official": "official score",
    "auc_source": "AUC source",
    "auc_target": "AUC target",
    "auc": "AUC",
    "pauc": "pAUC",
    "official_2020": "official score of 2020",
    "official_2021": "official score of 2021",
}
YEARLY = ("official_2020", "official_2021")
"""Scores of a year's own rule, beside the one that all data sets have: no terms of it."""


@dataclass(frozen=True, order=True)
class System:
    """One cell of the grid: what turns a clip of a data set into a score."""

    encoder: str
    layer: str
    pooling: str
    kind: str
    name: str

    @property
    def feature(self) -> tuple[str, str, str]:
        """Encoder, layer and pooling."""
        return self.encoder, self.layer, self.pooling


@dataclass(frozen=True)
class Traits:
    """What a reader must know before comparing a system with others."""

    transductive: bool = False
    """Uses statistics of the test clips, so these are not scored one by one."""
    needs_domains: bool = False
    """Uses the domain labels of the train clips."""
    tuned: bool = False
    """Some of its numbers were chosen by looking at test labels."""

    def __or__(self, other: Traits) -> Traits:
        return Traits(
            self.transductive or other.transductive,
            self.needs_domains or other.needs_domains,
            self.tuned or other.tuned,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Those that hold, in words."""
        return tuple(name.replace("_", " ") for name in self.__dataclass_fields__ if getattr(self, name))


class Results:
    """Tables of a study, read when asked for and kept.

    Parameters
    ----------
    folder : path
        The folder `results`.
    study : mapping
        The checked configuration, as of `asdflow.config.Study.as_dict()`.
    layers : mapping of encoder to its layers, optional
        Taken from the encoders themselves if absent.

    Raises
    ------
    ProductError
        From any table: a file is missing, cut short or breaks its schema.
    ConfigError
        A data set, encoder, pooling or system is not part of the study.
    """

    def __init__(
        self,
        folder: str | Path,
        study: Mapping[str, Any],
        layers: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.folder, self.study = Path(folder), study
        self._layers = layers
        self._kept: dict[tuple, Any] = {}

    # -- what the study consists of --------------------------------------------------------------------------

    @property
    def datasets(self) -> list[str]:
        """Names, in the order of the configuration."""
        return list(self.study["datasets"])

    @cached_property
    def layers(self) -> dict[str, list[str]]:
        """Selected layers of every encoder."""
        from asdflow.pipeline import build

        chosen = self._layers or self.study.get("layers") or {}
        return {
            name: list(chosen[name] if name in chosen else build.encoder(spec).layers)
            for name, spec in self.study["encoders"].items()
        }

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Kind of every detector and fusion by name, in the order of the configuration."""
        return dict.fromkeys(self.study["detectors"], "detector") | dict.fromkeys(
            self.study.get("fusions") or {}, "fusion"
        )

    def features(self, dataset: str | None = None) -> list[tuple[str, str, str]]:
        """Every (encoder, layer, pooling) of a data set, or of all, in the order of the configuration."""
        if dataset is None:
            return list(dict.fromkeys(one for name in self.datasets for one in self.features(name)))
        if given := self.given(dataset):
            return [(encoder, GIVEN, GIVEN) for encoder in given]
        return [
            (encoder, layer, pooling)
            for encoder, layers in self.layers.items()
            for layer in layers
            for pooling in self.study["poolings"]
        ]

    def given(self, dataset: str) -> tuple[str, ...]:
        """Encoders whose vectors came with the data set; empty where it is sound."""
        from asdflow import datasets

        spec = self._dataset(dataset)
        return self._once(("given", dataset), lambda: datasets.build(spec).given)

    def simulated(self, dataset: str) -> bool:
        """Whether the data set's sound is computed rather than recorded."""
        from asdflow import datasets

        return bool(datasets.REGISTRY.member(self._dataset(dataset)["kind"]).simulated)

    def feature_name(self, encoder: str, layer: str) -> str:
        """Encoder, with the layer where the study has several of that encoder."""
        return f"{encoder} {layer}" if len(self.layers.get(encoder, ())) > 1 else encoder

    def label(self, system: System) -> str:
        """A system's full name in one line, e.g. "ldn on yamnet layer9 with gem3 pooling"."""
        if system.pooling == GIVEN:
            return f"{system.name} on {self.feature_label(*system.feature)}"
        feature = self.feature_name(system.encoder, system.layer)
        return f"{system.name} on {feature} with {system.pooling} pooling"

    def feature_label(self, encoder: str, layer: str, pooling: str) -> str:
        """Encoder, layer and pooling in words: "yamnet layer9 and gem3 pooling", "given clap vectors"."""
        if pooling == GIVEN:
            return f"given {encoder} vectors"
        return f"{self.feature_name(encoder, layer)} and {pooling} pooling"

    @cached_property
    def traits(self) -> dict[str, Traits]:
        """Traits of every detector and fusion; a fusion has those of the detectors it joins."""
        from asdflow.pipeline import build

        detectors = {}
        for name, spec in self.study["detectors"].items():
            detector = build.detector(spec)
            parts = (detector.backend, *detector.normalizations)
            detectors[name] = _traits(detector) | _union(*map(_traits, parts))
        fusions = {
            name: _union(*(detectors[one] for one in self.members(name))) | _traits(build.fusion(spec))
            for name, spec in (self.study.get("fusions") or {}).items()
        }
        return detectors | fusions

    def members(self, fusion: str) -> list[str]:
        """Detectors that a fusion joins; all of them where the study does not say."""
        return list((self.study.get("members") or {}).get(fusion, self.study["detectors"]))

    @cached_property
    def plain_neighbour(self) -> str | None:
        """The detector that is nothing but the distance to the nearest train clip; None if there is none."""
        for name, spec in self.study["detectors"].items():
            backend, several = spec["backend"], spec.get("normalization") or {"name": "none"}
            parts = several if isinstance(several, list) else [several]
            if (
                backend["name"] == "knn"
                and backend.get("k", 1) == 1
                and all(part["name"] == "none" for part in parts)
            ):
                return name
        return None

    # -- tables ----------------------------------------------------------------------------------------------

    def metrics(self, dataset: str) -> pl.DataFrame:
        """Schema "metrics" of every encoder, layer and pooling of a data set."""
        self._dataset(dataset)
        return self._once(
            ("metrics", dataset),
            lambda: self._concat(
                [
                    self.folder / "metrics" / dataset / encoder / layer / f"{pooling}.parquet"
                    for encoder, layer, pooling in self.features(dataset)
                ],
                "metrics",
            ),
        )

    def machines(self, dataset: str) -> list[str]:
        """Machine names, sorted without regard to case."""
        names = self.metrics(dataset)["machine"].unique().to_list()
        return sorted((name for name in names if name != ALL), key=lambda name: (name.lower(), name))

    def terms(self, dataset: str) -> list[str]:
        """Metrics that the official score of this data set joins: no target AUC where it has no domains."""
        found = set(self.overall(dataset)["metric"]) - {OFFICIAL, *YEARLY}
        return [name for name in METRIC_NAMES if name in found] + sorted(found - set(METRIC_NAMES))

    def overall(self, dataset: str) -> pl.DataFrame:
        """The rows of `metrics` over all machines."""
        import polars as pl

        return self.metrics(dataset).filter((pl.col("machine") == ALL) & (pl.col("section") == ALL))

    def by_machine(self, dataset: str) -> pl.DataFrame:
        """One value a system, machine and metric: the harmonic mean over the machine's sections.

        Columns encoder, layer, pooling, kind, system, machine, metric, value. The harmonic mean is that of
        the official score, each term floored at machine epsilon.
        """
        import polars as pl

        keys = ["encoder", "layer", "pooling", "kind", "system", "machine", "metric"]

        def table() -> pl.DataFrame:
            lists = (
                self.metrics(dataset)
                .filter(pl.col("machine") != ALL)
                .sort(*keys, "section")
                .group_by(keys, maintain_order=True)
                .agg(pl.col("value"))
            )
            # Summed here, in order of section: polars sums in an order that depends on the number of threads.
            means = [len(one) / sum(1.0 / max(value, FLOOR) for value in one) for one in lists["value"]]
            return lists.with_columns(pl.Series("value", means, dtype=pl.Float64))

        return self._once(("by_machine", dataset), table)

    def leaderboard(self, dataset: str) -> pl.DataFrame:
        """One row a system, best official score first; ties in order of name.

        Columns rank, dataset, encoder, layer, pooling, kind, system; for the official score and each of its
        terms, and that of its own year where it has another, the value and, called `<metric>_low` and
        `<metric>_high`, its interval, in [0, 1]; confidence,
        normal, anomaly, units (0: the interval is not known); transductive, needs_domains, tuned, simulated.
        Systems whose scores are equal share a rank.
        """
        return self._once(("leaderboard", dataset), lambda: self._leaderboard(dataset))

    def _leaderboard(self, dataset: str) -> pl.DataFrame:
        import polars as pl

        keys = ["dataset", "encoder", "layer", "pooling", "kind", "system"]
        overall = self.overall(dataset)
        table = overall.filter(pl.col("metric") == OFFICIAL).select(
            *keys, "confidence", "normal", "anomaly", "units", *_interval(OFFICIAL)
        )
        yearly = [name for name in YEARLY if name in set(overall["metric"])]
        for metric in (*self.terms(dataset), *yearly):
            part = overall.filter(pl.col("metric") == metric).select(*keys, *_interval(metric))
            table = table.join(part, on=keys, how="left", validate="1:1")
        traits = self.traits
        table = table.with_columns(
            *(
                pl.Series(trait, [getattr(traits[name], trait) for name in table["system"]], dtype=pl.Boolean)
                for trait in Traits.__dataclass_fields__
            ),
            pl.lit(self.simulated(dataset)).alias("simulated"),
        )
        table = table.sort([OFFICIAL, *keys], descending=[True, *(False for _ in keys)])
        rank = pl.col(OFFICIAL).rank("min", descending=True).cast(pl.Int32).alias("rank")
        first = ["rank", *keys, OFFICIAL, f"{OFFICIAL}_low", f"{OFFICIAL}_high"]
        return table.with_columns(rank).select(*first, pl.exclude(first))

    def systems(self, dataset: str) -> list[System]:
        """Systems of a data set, best official score first."""
        return [
            System(row["encoder"], row["layer"], row["pooling"], row["kind"], row["system"])
            for row in self.leaderboard(dataset).iter_rows(named=True)
        ]

    def best(self, dataset: str, name: str | None = None, feature: Mapping[str, str | None] | None = None):
        """Best `System` of a data set.

        Parameters
        ----------
        name : str, optional
            Only this detector or fusion.
        feature : mapping, optional
            Keys encoder, layer, pooling: only these; a key that is absent or None leaves the choice open.
        """
        wanted = {key: value for key, value in (feature or {}).items() if value is not None}
        if name is not None:
            wanted["name"] = name
        for system in self.systems(dataset):
            if all(getattr(system, key) == value for key, value in wanted.items()):
                return system
        asked = ", ".join(f"{key} {value!r}" for key, value in wanted.items()) or "any system"
        known = {
            "name": ", ".join(self.kinds),
            "encoder": ", ".join(dict.fromkeys(encoder for encoder, _, _ in self.features(dataset))),
            "pooling": ", ".join(dict.fromkeys(pooling for _, _, pooling in self.features(dataset))),
            "layer": ", ".join(sorted({layer for _, layer, _ in self.features(dataset)})),
        }
        hint = "; ".join(f"{key}: {known[key]}" for key in wanted)
        raise ConfigError(asked, f"is not part of the study on data set {dataset!r}", f"Choose of {hint}.")

    def featured(self, dataset: str) -> System:
        """The system whose clips the report plays: the best of those that `report.system` allows."""
        return self.best(dataset, (self.study.get("report") or {}).get("system"))

    def scores(self, dataset: str, system: System) -> pl.DataFrame:
        """Schema "scores" of all machines of a data set that have metrics, by one system."""
        if system.kind == "fusion":  # one file joins the machines
            files = [self.folder.joinpath("fusion", dataset, *system.feature, f"{system.name}.parquet")]
        else:
            folder = self.folder.joinpath("scores", dataset, *system.feature, system.name)
            files = [folder / f"{machine}.parquet" for machine in self.machines(dataset)]
        return self._once(("scores", dataset, system), lambda: self._judged(dataset, files))

    def _judged(self, dataset: str, files: Sequence[Path]) -> pl.DataFrame:
        """Scores of the machines that have metrics: a fusion's file holds unlabelled ones as well."""
        import polars as pl

        return self._concat(files, "scores").filter(pl.col("machine").is_in(self.machines(dataset)))

    def clips(self, dataset: str) -> pl.DataFrame:
        """Schema "clips" of all machines of a data set."""
        folder = self.folder / "clips" / dataset
        return self._once(
            ("clips", dataset),
            lambda: self._concat(
                [folder / f"{machine}.parquet" for machine in self.machines(dataset)], "clips"
            ),
        )

    # -- helpers ---------------------------------------------------------------------------------------------

    def _dataset(self, name: str) -> Mapping[str, Any]:
        if name not in self.study["datasets"]:
            raise ConfigError(
                f"data set {name!r}", "is not part of the study", f"Choose of {', '.join(self.datasets)}."
            )
        return self.study["datasets"][name]

    def _once(self, key: tuple, make):
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    @staticmethod
    def _concat(paths: Sequence[Path], kind: str) -> pl.DataFrame:
        import polars as pl
        import pyarrow as pa

        if not paths:
            raise DataError(
                kind, "there are no files of this kind", "Give the data set at least one machine."
            )
        return pl.from_arrow(pa.concat_tables([_plain(tables.read(path, kind)) for path in paths]))


def _plain(table):
    """A table without the column of maps, which polars does not have: attributes become a list of pairs."""
    import pyarrow as pa

    fields = []
    for field in table.schema:
        if pa.types.is_map(field.type):
            item = pa.struct([("key", field.type.key_type), ("value", field.type.item_type)])
            field = pa.field(field.name, pa.list_(item))
        fields.append(pa.field(field.name, field.type))
    return table.cast(pa.schema(fields))


def _interval(metric: str) -> list:
    import polars as pl

    return [
        pl.col("value").alias(metric),
        pl.col("low").alias(f"{metric}_low"),
        pl.col("high").alias(f"{metric}_high"),
    ]


def _traits(member: Any) -> Traits:
    return Traits(*(bool(getattr(member, name, False)) for name in Traits.__dataclass_fields__))


def _union(*several: Traits) -> Traits:
    joined = Traits()
    for one in several:
        joined = joined | one
    return joined
