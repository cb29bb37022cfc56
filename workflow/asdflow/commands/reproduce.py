"""Are two builds the same bytes, and does a build agree with the committed numbers?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asdflow.foundation.errors import ProductError
from asdflow.products import tables

# Run times and logs are about the machine, not about the study.
NOT_COMPARED = ("logs", "benchmarks")
KEYS = ("dataset", "encoder", "layer", "pooling", "system", "machine", "section", "metric")


@dataclass(frozen=True)
class Comparison:
    """Files by outcome, relative to the two folders."""

    same: list[str]
    different: list[str]
    only_first: list[str]
    only_second: list[str]

    @property
    def equal(self) -> bool:
        """Every file is there on both sides, with the same bytes."""
        return bool(self.same) and not (self.different or self.only_first or self.only_second)


def digests(folder: str | Path) -> dict[str, str]:
    """SHA-256 of every result below a folder, by relative path."""
    folder = Path(folder)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.relative_to(folder).parts[0] not in NOT_COMPARED
        and not path.name.startswith(".snakemake")
    }


def compare(first: str | Path, second: str | Path) -> Comparison:
    """Compare every result of two builds byte by byte."""
    one, two = digests(first), digests(second)
    both = sorted(one.keys() & two.keys())
    return Comparison(
        same=[name for name in both if one[name] == two[name]],
        different=[name for name in both if one[name] != two[name]],
        only_first=sorted(one.keys() - two.keys()),
        only_second=sorted(two.keys() - one.keys()),
    )


def metric_rows(results: str | Path) -> dict[tuple[str, ...], float]:
    """Value of every metric of a build, by its keys; systems that are not computed have none."""
    rows = {}
    for path in sorted(Path(results, "metrics").rglob("*.parquet")):
        table = tables.read(path, "metrics")
        keys = zip(*(table.column(name).to_pylist() for name in KEYS), strict=True)
        values = zip(keys, table.column("value").to_pylist(), strict=True)
        rows |= {key: value for key, value in values if value is not None}
    return rows


def write_reference(results: str | Path, path: str | Path) -> None:
    """Write the reference table: one line a metric, six decimals."""
    lines = [",".join((*KEYS, "value"))]
    lines += [",".join((*key, f"{value:.6f}")) for key, value in sorted(metric_rows(results).items())]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def check_reference(results: str | Path, path: str | Path, tolerance: float) -> float:
    """Largest deviation of a build's metrics from the reference table.

    Raises ProductError when it exceeds `tolerance`, or when a metric is missing or new.
    """
    lines = Path(path).read_text(encoding="utf-8").splitlines()[1:]
    wanted = {tuple(line.split(",")[:-1]): float(line.rsplit(",", 1)[1]) for line in lines}
    found = metric_rows(results)
    remedy = (
        "If the change is meant, write the table anew: asdflow reference --write, and say why in the commit."
    )
    if wanted.keys() != found.keys():
        odd = sorted(wanted.keys() ^ found.keys())
        raise ProductError(path, f"{len(odd)} metrics are missing or new, first {odd[0]}", remedy)
    deviation = {key: abs(found[key] - value) for key, value in wanted.items()}
    worst = max(deviation, key=lambda key: deviation[key])
    if not np.isfinite(deviation[worst]) or deviation[worst] > tolerance:
        count = sum(value > tolerance for value in deviation.values())
        raise ProductError(
            path,
            f"{count} of {len(wanted)} metrics deviate by more than {tolerance:g}; most {'/'.join(worst)}: "
            f"{found[worst]:.6f} instead of {wanted[worst]:.6f}",
            remedy,
        )
    return deviation[worst]
