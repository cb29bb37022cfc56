"""Do machines, or years, agree about which system is better? Kendall's rank correlation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from asdflow.foundation.errors import ConfigError, DataError
from asdflow.metrics.long_table import select

SYSTEM = ("encoder", "layer", "pooling", "kind", "system")


@dataclass(frozen=True)
class Agreement:
    """Rank agreement of n machines or data sets.

    Attributes
    ----------
    names : tuple of str
    tau : (n, n) float64
        Kendall's tau-b over the systems that both have: 1 the same order, 0 unrelated, -1 reversed. NaN where
        they share fewer than two systems, or one of them rates all alike.
    systems : (n, n) int
        How many systems both have.
    """

    names: tuple[str, ...]
    tau: np.ndarray
    systems: np.ndarray

    @property
    def mean(self) -> float:
        """Mean of tau over pairs of different names that have one; NaN where there is none."""
        pairs = self.tau[np.triu_indices(len(self.names), 1)]
        return float(np.mean(pairs[~np.isnan(pairs)])) if (~np.isnan(pairs)).any() else float("nan")


def agreement(
    table: pa.Table | Mapping[str, Sequence],
    metric: str = "official",
    between: Literal["machine", "dataset"] = "machine",
) -> Agreement:
    """How alike two machines of a data set, or two data sets, rank the systems.

    Parameters
    ----------
    table : pyarrow.Table or mapping of columns
        Schema "metrics". Between machines: of one data set; a machine with several sections counts with each.
        Between data sets: their values over all machines are compared; systems are matched by their names.
    metric : str
    between : "machine" or "dataset"

    Raises
    ------
    DataError
        No row of that metric; machines of several data sets at once.
    ConfigError
        Unknown `between`.
    """
    if between not in ("machine", "dataset"):
        raise ConfigError("between", f"is {between!r}", "Use 'machine' or 'dataset'.")
    rows = select(table, metric, total=between == "dataset")
    datasets = sorted({row["dataset"] for row in rows})
    if between == "machine" and len(datasets) > 1:
        raise DataError(
            "table", f"holds {len(datasets)} data sets", f"Filter it to one of {', '.join(datasets)}."
        )
    values: dict[str, dict[tuple, float]] = {}
    several = between == "machine" and len({(row["machine"], row["section"]) for row in rows}) > len(
        {row["machine"] for row in rows}
    )
    for row in rows:
        name = row["dataset"] if between == "dataset" else row["machine"]
        if several:
            name = f"{name} {row['section']}"
        values.setdefault(name, {})[tuple(row[key] for key in SYSTEM)] = row["value"]
    names = tuple(sorted(values))
    tau = np.full((len(names), len(names)), np.nan)
    systems = np.zeros(tau.shape, dtype=np.int64)
    for i, first in enumerate(names):
        for j, second in enumerate(names):
            common = sorted(values[first].keys() & values[second].keys())
            systems[i, j] = len(common)
            tau[i, j] = kendall(*([values[name][key] for key in common] for name in (first, second)))
    return Agreement(names, tau, systems)


def kendall(first, second) -> float:
    """Kendall's tau-b of two (n,) sequences, exact with ties; NaN for n < 2 or a constant sequence.

    tau_b = (concordant - discordant) / sqrt((pairs - ties of first) (pairs - ties of second))  (Kendall 1945)
    """
    a, b = (np.asarray(values, dtype=np.float64) for values in (first, second))
    upper = np.triu_indices(len(a), 1)
    a, b = (np.sign(values[:, None] - values[None, :])[upper] for values in (a, b))
    scale = np.sqrt(np.abs(a).sum() * np.abs(b).sum())
    return float((a * b).sum() / scale) if scale > 0 else float("nan")
