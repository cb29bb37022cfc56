"""Finished scores of a study, exported for others: one folder a system, in the evaluators' format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asdflow.exchange.writing import Written, write_system
from asdflow.foundation.errors import ConfigError, nearest
from asdflow.plan.plan import Plan
from asdflow.products import tables

KEYS = ("dataset", "encoder", "layer", "pooling", "system")


@dataclass(frozen=True)
class Exported:
    """What was written, and what was not.

    Attributes
    ----------
    written : folder of a system to its files and thresholds
    refused : folder of a system that some section has no scores of, to the reason; it is not written
    """

    written: Mapping[Path, Written]
    refused: Mapping[Path, str]


def export(
    plan: Plan,
    folder: str | Path,
    chosen: Mapping[str, Sequence[str]] | None = None,
    quantile: float = 0.9,
    rule: str = "gamma",
) -> Exported:
    """Write scores and decisions of a study's systems, read from its results.

    Parameters
    ----------
    plan : Plan
        Of the study; its base is the folder that holds `results`.
    folder : path
        A system goes to `{folder}/{dataset}/{encoder}-{layer}-{pooling}-{system}/`, so that
        `evaluate_folder(folder / dataset)` reads all of a data set's systems.
    chosen : mapping of some of `KEYS` to names, optional
        Only these data sets, encoders, layers, poolings, detectors and fusions; a key that is absent or empty
        leaves the choice open.
    quantile, rule
        Of the threshold behind a decision, see `metrics.threshold`. Each section has its own, from the
        leave-one-out scores of its training clips.

    Returns
    -------
    Exported

    Raises
    ------
    ConfigError
        A name that is not part of the study; two systems whose folders would be one.
    ProductError
        Scores that were not computed yet.
    DataError
        What `write_system` raises.
    """
    chosen = {key: list(names) for key, names in (chosen or {}).items() if names}
    cells = list(_cells(plan))
    for key, names in chosen.items():
        _require_known(key, names, {cell[key] for cell in cells})
    written: dict[Path, Written] = {}
    refused: dict[Path, str] = {}
    for cell in cells:
        if any(cell[key] not in names for key, names in chosen.items()):
            continue
        feature = {key: cell[key] for key in KEYS[:-1]}
        files = [plan.base / file for file in plan.score_files(cell["system"], **feature)]
        scores = tables.read_systems(files, [cell["system"]])[cell["system"]]
        name = "-".join(cell[key] for key in KEYS[1:])
        place = Path(folder) / cell["dataset"] / name
        if place in written or place in refused:
            raise ConfigError(
                f"folder {place}",
                f"would hold two systems; one of them is {' '.join(cell.values())}",
                "Rename an entry (a-b beside c reads like a beside b-c), or export one of them alone.",
            )
        reason = next(filter(None, scores.column("refused").to_pylist()), None)
        if reason is None:
            written[place] = write_system(place, scores, quantile, rule)
        else:
            refused[place] = reason
    return Exported(written, refused)


def _cells(plan: Plan) -> Iterator[dict[str, str]]:
    """Every system of the study with the features it works on."""
    for names in plan.grid.cells("metrics"):
        for system in plan.study.systems:
            yield {**names, "system": system}


def _require_known(key: str, names: Iterable[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"{key} {name!r}", "is not part of the study", nearest(name, sorted(known)))
