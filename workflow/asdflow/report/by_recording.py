"""A row a test recording: how high a system scores it, and what that does to the AUCs it takes part in."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from asdflow.foundation.errors import ConfigError
from asdflow.foundation.files import whole_file

if TYPE_CHECKING:
    from asdflow.presentation.results import Results, System

AUCS = ("auc_source", "auc_target")
SYSTEM = ("dataset", "encoder", "layer", "pooling", "kind", "system")
CHOICES = ("dataset", "encoder", "layer", "pooling", "system")


@dataclass(frozen=True)
class Recording:
    """Test clips of one recording that share section, domain and label, under one system.

    Attributes
    ----------
    machine, section, recording, domain, label : str
        Domain and label are None where they are unknown.
    clips : int
    mean, lowest, highest : float
        Of the clips' scores.
    auc_source, auc_target : float or None
        AUC of the machine's section that the recording takes part in, in [0, 1]: normal clips take part in
        that of their own domain, anomalous ones in both. None where it takes no part.
    own_source, own_target : float or None
        The same AUC with the clips of this recording alone on its side. The AUC is the mean of them over the
        normal recordings of its domain, and over the anomalous ones, each counted by its clips.
    """

    machine: str
    section: str
    recording: str
    domain: str | None
    label: str | None
    clips: int
    mean: float
    lowest: float
    highest: float
    auc_source: float | None
    auc_target: float | None
    own_source: float | None
    own_target: float | None


def by_recording(results: Results, dataset: str, system: System) -> list[Recording]:
    """Every test recording by machine and section, largest mean score first."""
    import numpy as np
    import polars as pl

    test = results.scores(dataset, system).filter(pl.col("split") == "test", pl.col("score").is_not_null())
    known = _aucs(results, dataset, system)
    found = []
    for (machine, section), here in test.partition_by(["machine", "section"], as_dict=True).items():
        score, domain, label = (here[name].to_numpy() for name in ("score", "domain", "label"))
        anomaly = label == "anomaly"
        side = {"auc_source": domain != "target", "auc_target": domain == "target"}
        normals = {name: score[inside & (label == "normal")] for name, inside in side.items()}
        keys = ["recording", "domain", "label"]
        for (recording, of, kind), part in here.partition_by(keys, as_dict=True).items():
            own = part["score"].to_numpy()
            whole: dict[str, float | None] = dict.fromkeys(AUCS)
            alone: dict[str, float | None] = dict.fromkeys(AUCS)
            for name in AUCS:
                if (machine, section, name) not in known or kind is None:
                    continue
                if kind == "anomaly":
                    alone[name] = _auc(normals[name], own)
                elif (of == "target") == (name == "auc_target"):
                    alone[name] = _auc(own, score[anomaly])
                else:
                    continue
                whole[name] = known[machine, section, name]
            spread = (float(np.mean(own)), float(own.min()), float(own.max()))
            found.append(
                Recording(
                    machine, section, recording, of, kind, len(own), *spread, *whole.values(), *alone.values()
                )
            )
    place = {machine: index for index, machine in enumerate(results.machines(dataset))}
    return sorted(
        found,
        key=lambda one: (place[one.machine], one.section, -one.mean, one.recording, str(one.domain)),
    )


def choose(results: Results, chosen: Mapping[str, Sequence[str] | None]) -> list[tuple[str, System]]:
    """(data set, system) of a study, best first within a data set.

    Parameters
    ----------
    chosen : mapping of some of `CHOICES` to names
        Only these; a key that is absent or empty leaves the choice open.

    Raises
    ------
    ConfigError
        A name that is not part of the study, or was not computed.
    """
    wanted = {key: set(names) for key, names in chosen.items() if names}
    cells = [(dataset, one) for dataset in results.datasets for one in results.scored(dataset)]
    named = [dict(zip(CHOICES, (dataset, *one.feature, one.name), strict=True)) for dataset, one in cells]
    for key, names in wanted.items():
        known = {name[key] for name in named}
        if unknown := sorted(names - known):
            raise ConfigError(
                f"{key} {unknown[0]!r}",
                "has no scores in this study",
                f"Choose of {', '.join(sorted(known))}.",
            )
    return [
        cell
        for cell, name in zip(cells, named, strict=True)
        if all(name[key] in names for key, names in wanted.items())
    ]


def write(results: Results, systems: Iterable[tuple[str, System]], path: str | Path) -> int:
    """Write the recordings of (data set, system) as comma-separated values; returns the number of rows."""
    rows = 0
    names = [field.name for field in fields(Recording)]
    with whole_file(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*SYSTEM, *names])
        for dataset, system in systems:
            identity = [dataset, *system.feature, system.kind, system.name]
            for one in by_recording(results, dataset, system):
                writer.writerow([*identity, *(_cell(getattr(one, name)) for name in names)])
                rows += 1
    return rows


def _aucs(results: Results, dataset: str, system: System) -> dict[tuple[str, str, str], float]:
    """Each AUC of the system by machine, section and metric."""
    import polars as pl

    columns = ("encoder", "layer", "pooling", "kind", "system")
    wanted = zip(columns, (*system.feature, system.kind, system.name), strict=True)
    rows = results.metrics(dataset).filter(
        *(pl.col(column) == value for column, value in wanted), pl.col("metric").is_in(AUCS)
    )
    keys = rows.select("machine", "section", "metric").iter_rows()
    return dict(zip(keys, rows["value"].to_list(), strict=True))


def _auc(normal, anomaly) -> float | None:
    """AUC of some normal against some anomalous clips; None without clips on a side."""
    import numpy as np

    from asdflow.metrics.roc import Curve

    if not len(normal) or not len(anomaly):
        return None
    curve, once = Curve(anomaly, np.ones((len(anomaly), 1))), np.ones((len(normal), 1))
    return float(curve.auc(curve.wins(normal, once), once)[0])


def _cell(value) -> str:
    if value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(value)
