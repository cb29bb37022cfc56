"""Cost of a sweep: six values of one parameter against a single value, as one job of the DAG scores them.

    OMP_NUM_THREADS=1 python benchmarks/sweeps.py [--bank 1000] [--test 200] [--rounds 5] [--only "knn k"]

Both are timed in turn, and the smallest of all rounds counts. `scoring` is the time of one machine once its
distances are there; `jobs` adds what every job of the DAG costs before it scores: starting Python and its
imports. Distances are computed once a metric and pooling in either case, so they are not in it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa

from asdflow.config import load
from asdflow.products import tables
from asdflow.products.schemas import CLIPS, EMBEDDINGS
from asdflow.stages.distances import distance_columns
from asdflow.stages.scores import score_columns

TO_32 = [1, 2, 4, 8, 16, 32]
NONE = {"name": "none"}
# Backend, normalization, the part that is swept, its option and values.
SWEEPS = {
    "density_ratio k": ({"name": "knn"}, {"name": "density_ratio"}, "normalization", "k", TO_32),
    "density_ratio r": (
        *({"name": "knn"}, {"name": "density_ratio"}, "normalization"),
        *("r", [0.0, 0.5, 0.7, 0.8, 0.9, 1.0]),
    ),
    "knn k": ({"name": "knn"}, NONE, "backend", "k", TO_32),
    "lof k": ({"name": "lof"}, NONE, "backend", "k", TO_32),
    "pca_residual rank": ({"name": "pca_residual"}, NONE, "backend", "rank", TO_32),
}


def machine(bank: int, test: int, dimensions: int) -> tuple[pa.Table, pa.Table]:
    """Clips and embeddings of one machine: a hundredth of the bank and half of the test clips are target."""
    random = np.random.default_rng(0)
    count = bank + test
    target = np.concatenate([np.arange(bank) % 100 == 99, np.arange(test) % 2 == 1])
    anomaly = np.concatenate([np.zeros(bank, bool), np.arange(test) % 4 > 1])
    center = random.normal(size=(2, dimensions))
    values = center[target.astype(int)] + random.normal(size=(count, dimensions)) + anomaly[:, None] * 0.3
    known = {
        "machine": ["fan"] * count,
        "section": ["00"] * count,
        "clip": [f"{number:06d}" for number in range(count)],
        "split": ["train"] * bank + ["test"] * test,
        "domain": np.where(target, "target", "source").tolist(),
        "label": np.where(anomaly, "anomaly", "normal").tolist(),
        "recording": [f"{number:06d}" for number in range(count)],
        "attributes": [[]] * count,
        "warnings": [[]] * count,
    }
    clips = pa.table({c.name: pa.array(known.get(c.name, [None] * count), c.type) for c in CLIPS.columns})
    columns = {column.name: known.get(column.name) for column in EMBEDDINGS.columns}
    columns["values"] = tables.vectors(values.astype(np.float32), EMBEDDINGS.column("values").type)
    return clips, pa.table(columns)


def detectors(backend: dict, normalization: dict, part: str, option: str, values: object) -> dict[str, dict]:
    """Specifications in normal form of an entry whose option holds a value or a list."""
    spec = {"backend": dict(backend), "normalization": dict(normalization)}
    spec[part][option] = values
    study = {
        "datasets": {"f": {"kind": "factory"}},
        "encoders": {"logmel": {"name": "logmel"}},
        "poolings": {"mean": {"name": "mean"}},
        "detectors": {"x": spec},
    }
    return dict(load(study).detectors)


def seconds(work: Callable[[], object]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def start_up() -> float:
    """Time of a Python that imports what a job of the scores imports."""
    script = "import asdflow.stages.scores, asdflow.products.tables, asdflow.stages.job, asdflow.backends.knn"
    return seconds(lambda: subprocess.run([sys.executable, "-c", script], check=True))


def main() -> None:
    """Print one row a sweep."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("bank", 1000), ("test", 200), ("dimensions", 768), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", nargs="+", choices=SWEEPS, default=list(SWEEPS))
    options = parser.parse_args()
    clips, embeddings = machine(options.bank, options.test, options.dimensions)
    made = distance_columns(embeddings, "cosine")
    cosine = {"cosine": pa.table({name: column for name, column in made.items()})}
    start = min(start_up() for _ in range(options.rounds))
    print(f"bank {options.bank}, test {options.test}, D {options.dimensions}; start of a job {start:.2f} s")
    print(f"{'sweep':20} {'one':>8} {'six':>8} {'ratio of scoring':>17} {'ratio of jobs':>14}")
    for name in options.only:
        backend, normalization, part, option, values = SWEEPS[name]
        several = detectors(backend, normalization, part, option, values)
        one = detectors(backend, normalization, part, option, values[-1])
        shared = cosine if backend["name"] in ("knn", "lof") else {}
        times: dict[str, list[float]] = {"one": [], "six": []}
        for _ in range(options.rounds):
            for label, specs in (("one", one), ("six", several)):
                times[label].append(seconds(partial(score_columns, clips, embeddings, specs, shared)))
        best = {label: min(found) for label, found in times.items()}
        ratio, jobs = best["six"] / best["one"], (start + best["six"]) / (start + best["one"])
        print(f"{name:20} {best['one']:7.3f}s {best['six']:7.3f}s {ratio:17.2f} {jobs:14.2f}")


if __name__ == "__main__":
    main()
