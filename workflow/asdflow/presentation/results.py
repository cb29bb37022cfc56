"""The finished products of a study as tidy tables, for figures, the report and notebooks.

Only the files that the study itself asks for are read, so results that an earlier configuration left in the
folder never show up.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdflow.foundation.errors import ConfigError
from asdflow.presentation.naming import METRIC_NAMES, Names, System
from asdflow.presentation.reading import joined
from asdflow.products import layout
from asdflow.products.study import Study, Traits

if TYPE_CHECKING:
    import polars as pl

ALL = "all"
OFFICIAL = "official"
FLOOR = sys.float_info.epsilon  # of every term of the official score
YEARLY = ("official_2020", "official_2021")
"""Scores of a year's own rule, beside the one that all data sets have: no terms of it."""
KEYS = ("dataset", "encoder", "layer", "pooling", "kind", "system")


class Results(Names):
    """Tables of a study, read when asked for and kept.

    Parameters
    ----------
    folder : path
        The folder `results`.
    study : Study

    Raises
    ------
    ProductError
        From any table: a file is missing, cut short or breaks its schema.
    ConfigError
        A data set, encoder, pooling or system is not part of the study.
    """

    def __init__(self, folder: str | Path, study: Study) -> None:
        super().__init__(study)
        self.folder = Path(folder)
        self._kept: dict[tuple, Any] = {}

    # -- tables ----------------------------------------------------------------------------------------------

    def metrics(self, dataset: str) -> pl.DataFrame:
        """Schema "metrics" of every encoder, layer and pooling of a data set: the rows that have a value."""
        table = self._metrics(dataset)
        return table.filter(table["refused"].is_null()).drop("refused")

    def refused(self, dataset: str) -> pl.DataFrame:
        """What has no values, and why: columns of `KEYS`, machine, section, refused.

        One row a system, machine and section that could not be scored or evaluated, and one whose machine and
        section is ALL where a system has no values at all.
        """
        table = self._metrics(dataset)
        table = table.filter(table["refused"].is_not_null())
        return table.select(*KEYS, "machine", "section", "refused").sort(*KEYS, "machine", "section")

    def left_out(self, dataset: str) -> dict[tuple[str, str], str]:
        """Machines and sections that the values of a data set do not cover, each with the reason.

        Empty where no system has values: then `refused` says why.
        """
        if not (systems := self.systems(dataset)):
            return {}
        best = systems[0]
        rows = self.refused(dataset).to_dicts()
        keys = (*best.feature, best.kind, best.name)
        return {
            (row["machine"], row["section"]): row["refused"]
            for row in rows
            if tuple(row[key] for key in KEYS[1:]) == keys
        }

    def _metrics(self, dataset: str) -> pl.DataFrame:
        self._dataset(dataset)
        cells = self.grid.cells("metrics", dataset=dataset)
        return self._once(
            ("metrics", dataset),
            lambda: joined([self._path("metrics", **one) for one in cells], "metrics"),
        )

    def machines(self, dataset: str) -> list[str]:
        """Machine names, sorted without regard to case; also those without values."""
        return _machines(self._metrics(dataset))

    def judged(self, dataset: str) -> list[str]:
        """Those of `machines` that have values: some section could be evaluated."""
        return _machines(self.metrics(dataset))

    def of_judged(self, dataset: str, table: pl.DataFrame) -> pl.DataFrame:
        """Rows of the machines and sections that have values, of a table with these two columns."""
        parts = self.metrics(dataset).select("machine", "section").unique()
        return table.join(parts, on=["machine", "section"], how="semi")

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

        keys = list(KEYS)
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

    def scored(self, dataset: str) -> dict[System, int]:
        """Systems with scores and the number of sections that they score, best first.

        Those without values come last, in the order of the configuration.
        """
        import polars as pl

        def found() -> dict[System, int]:
            names = [(name, feature) for name in self.kinds for feature in self.features(dataset)]
            each = [System(*feature, self.kinds[name], name) for name, feature in names]
            numbers = {}
            for system in dict.fromkeys([*self.systems(dataset), *each]):
                known = self.scores(dataset, system).filter(pl.col("score").is_not_null())
                numbers[system] = known.select("machine", "section").n_unique() if known.height else 0
            return {system: number for system, number in numbers.items() if number}

        return self._once(("scored", dataset), found)

    def featured(self, dataset: str) -> System | None:
        """The system whose clips the report plays: the best of those that `report.system` allows.

        Where none of these has values, the first that scores most sections; None where no system has scores.
        """
        wanted = self.study.report.get("system")
        for system in self.systems(dataset):
            if wanted in (None, system.name):
                return system
        scored = self.scored(dataset)
        of_wanted = {system: number for system, number in scored.items() if system.name == wanted}
        chosen = of_wanted or scored
        return max(chosen, key=chosen.__getitem__, default=None)

    def scores(self, dataset: str, system: System) -> pl.DataFrame:
        """Schema "scores" of all machines of a data set, by one system; null where it was refused."""
        import polars as pl

        names = dict(zip(("encoder", "layer", "pooling"), system.feature, strict=True)) | {"dataset": dataset}
        if system.kind == "fusion":  # one file joins the machines
            files = [self._path("fusion", fusion=system.name, **names)]
        else:
            names["backend"] = self.study.detectors[system.name]["backend"]["name"]
            files = [self._path("scores", machine=one, **names) for one in self.machines(dataset)]
        table = self._once(("scores", *files), lambda: joined(files, "scores"))
        return table.filter(pl.col("detector") == system.name)

    def clips(self, dataset: str) -> pl.DataFrame:
        """Schema "clips" of all machines of a data set."""
        files = [self._path("clips", dataset=dataset, machine=one) for one in self.machines(dataset)]
        return self._once(("clips", dataset), lambda: joined(files, "clips"))

    # -- helpers ---------------------------------------------------------------------------------------------

    def _path(self, product: str, **names: str) -> Path:
        return Path(layout.path(product, self.folder, **names))

    def _once(self, key: tuple, make):
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


def _machines(table: pl.DataFrame) -> list[str]:
    names = table["machine"].unique().to_list()
    return sorted((name for name in names if name != ALL), key=lambda name: (name.lower(), name))


def _interval(metric: str) -> list:
    import polars as pl

    return [
        pl.col("value").alias(metric),
        pl.col("low").alias(f"{metric}_low"),
        pl.col("high").alias(f"{metric}_high"),
    ]
