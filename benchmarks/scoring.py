"""Speed of scoring: every backend with every normalization it takes, on the shape of a DCASE year.

    python benchmarks/scoring.py [--dimensions 6144] [--units 6] [--against] [--test-only]

A unit is one machine and pooling: 990 source and 10 target clips as the bank, 200 test clips, scored by
every cell of the grid, with exact leave-one-out self-scores, sharing one bank. A year is 14 machines x 6
poolings; of its 84 units some are run and the time is scaled (units are alike; each has its own embeddings).
One of the six poolings keeps mean and maximum side by side, which AdaBEAM needs; it is run on that one. At
768 dimensions frequency bands have been averaged, so that there is one; at 6,144 there are eight. Times of
units and cells are processor seconds, which other work on the machine disturbs less than the clock on the
wall; that is the clock of the busiest worker. Drawing the embeddings counts for neither.

`--test-only` asks for the scores of the test clips alone, and for self-scores where these are made of them.

`--against` times what scikit-learn and, where installed, PyOD take for a cell on its own, for the cells whose
backend they have; the others count nothing. Three sums, the latter two scaled from one fit: test scores
alone; refitted without each clip where the normalization makes test scores of self-scores, which is what our
side gives with `--test-only`; refitted for the self-scores of every cell, which is what it gives without.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from asdflow import backends, normalizations
from asdflow.foundation.errors import ConfigError
from asdflow.geometry.space import Space
from asdflow.pipeline import build
from asdflow.pipeline.detector import Fits
from asdflow.references.bank import Bank, Queries

MACHINES, POOLINGS = 14, 6
SOURCE, TARGET, TEST = 990, 10, 200
#: Both values of parameters that make another backend of the same name.
VARIANTS = {
    "knn": [{"metric": "cosine"}, {"metric": "euclidean"}],
    "mahalanobis": [{"variant": "pooled"}, {"variant": "selective"}],
    "variance_minimisation": [{"space": "linear"}, {"space": "log"}],
}


#: Normalizations whose test scores are made of self-scores, by default.
OF_SELF_SCORES = ("zscore", "conformal", "domain_standardise")


def grid(bands: int) -> dict[str, dict]:
    """Specification of every cell that is not refused, with default parameters."""
    found = {}
    for backend in backends.REGISTRY.names():
        for variant in VARIANTS.get(backend, [{"bands": bands} if backend in ("beam", "adabeam") else {}]):
            for normalization in normalizations.REGISTRY.names():
                spec = {"backend": {"name": backend, **variant}, "normalization": {"name": normalization}}
                try:
                    build.detector(spec)
                except ConfigError:
                    continue
                found[" ".join([backend, *map(str, variant.values()), normalization])] = spec
    return found


def embeddings(dimensions: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bank, domains and test clips: two source clusters and a shifted target, decaying variances."""
    draw = np.random.default_rng(seed)
    scale = np.exp(-np.arange(dimensions) / (dimensions / 8)) + 0.05
    clips = draw.normal(size=(SOURCE + TARGET + TEST, dimensions)) * scale + 1
    clips[: SOURCE // 2] += draw.normal(size=dimensions) * scale
    shift = 0.7 * draw.normal(size=dimensions) * scale
    clips[SOURCE : SOURCE + TARGET] += shift
    clips[-TEST // 2 :] += shift
    bank, test = np.split(clips.astype(np.float32), [SOURCE + TARGET])
    return bank, np.repeat([0, 1], [SOURCE, TARGET]), test


class Unit(NamedTuple):
    """What one unit took.

    Attributes
    ----------
    seconds, wall : processor seconds, and seconds on the wall
    cells : processor seconds by cell
    worker : process that it ran in
    memory : its peak so far, MB
    """

    seconds: float
    wall: float
    cells: dict[str, float]
    worker: int
    memory: float


def unit(task: tuple[int, int, bool, bool]) -> Unit:
    """Score one unit; drawing its embeddings does not count."""
    dimensions, seed, with_maximum, with_self = task
    drawn = embeddings(dimensions, seed)
    cells = grid(8 if dimensions >= 6144 else 1)
    if not with_maximum:
        cells = {name: spec for name, spec in cells.items() if not name.startswith("adabeam")}
    begin, start = time.process_time(), time.perf_counter()
    of_cells = scored(*drawn, cells, with_self)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return Unit(time.process_time() - begin, time.perf_counter() - start, of_cells, os.getpid(), memory)


def scored(
    clips: np.ndarray, domain: np.ndarray, test: np.ndarray, cells: dict[str, dict], with_self: bool
) -> dict[str, float]:
    """Seconds of each cell of a unit, and of the distances before them."""
    begin = time.process_time()
    bank = Bank(clips, domain)
    queries = Queries(test, bank)
    for metric in ("cosine", "euclidean"):
        bank.distances(Space(metric)), queries.distances(Space(metric))
    seconds, fits = {"distances": time.process_time() - begin}, Fits(bank)
    for name, spec in cells.items():
        start = time.process_time()
        detector = build.detector(spec).fit(fits)
        detector.score_samples(queries)
        if with_self:
            detector.self_scores()
        seconds[name] = time.process_time() - start
    return seconds


def references(dimensions: int) -> dict[str, float]:
    """Seconds of one cell by scikit-learn or PyOD, by backend: fit on the bank, score the test clips."""
    from sklearn.covariance import LedoitWolf
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture
    from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

    bank, _, test = embeddings(dimensions, 0)

    def pca() -> None:
        model = PCA(0.95, svd_solver="full").fit(bank)
        np.square(test - model.inverse_transform(model.transform(test))).sum(axis=1)

    methods = {
        "knn": lambda: NearestNeighbors(n_neighbors=1, metric="cosine").fit(bank).kneighbors(test),
        "lof": lambda: LocalOutlierFactor(16, novelty=True).fit(bank).score_samples(test),
        "mahalanobis": lambda: LedoitWolf().fit(bank).mahalanobis(test),
        "pca_residual": pca,
        "gmm": lambda: GaussianMixture(2, covariance_type="diag").fit(bank).score_samples(test),
    }
    try:
        from pyod.models.knn import KNN
        from pyod.models.lof import LOF

        methods["knn (PyOD)"] = lambda: KNN(n_neighbors=1).fit(bank).decision_function(test)
        methods["lof (PyOD)"] = lambda: LOF(n_neighbors=16).fit(bank).decision_function(test)
    except ImportError:
        print("PyOD is not installed: scikit-learn alone")
    found = {}
    for name, method in methods.items():
        begin = time.process_time()
        method()
        found[name] = time.process_time() - begin
    return found


def compare(dimensions: int, whole: float) -> None:
    """Print what the cells take on their own, and the ratio to a unit (`whole`, with all of its cells)."""
    single = references(dimensions)
    clips = SOURCE + TARGET
    # Self-scores: neighbours are looked up for the bank too; a model is fitted again without each clip.
    times = dict.fromkeys(single, 1 + clips) | {"knn": 1 + clips / TEST}
    fitted = needed = with_self = 0.0
    for cell in grid(8 if dimensions >= 6144 else 1):
        backend, normalization = cell.split()[0], cell.split()[-1]
        name = "knn" if backend == "domain_knn" else backend
        seconds = single.get(name, 0.0)
        refitted = seconds * times.get(name, 0.0)
        fitted += seconds
        needed += refitted if normalization in OF_SELF_SCORES else seconds
        with_self += refitted
    for name, seconds in single.items():
        print(f"  {name:<24} {seconds:9.2f} s a cell on its own")
    for what, seconds in (
        ("cells on their own, test scores", fitted),
        ("the same, self-scores where test scores are made of them", needed),
        ("the same, self-scores of every cell", with_self),
    ):
        print(f"  {what:<58} {seconds:9.1f} s, {seconds / whole:8.1f} times {whole:.2f} s")


def main() -> None:
    """Run some units on all workers, scale, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dimensions", type=int, nargs="+", default=[768, 6144])
    parser.add_argument(
        "--units", type=int, default=6, help="of 84; a multiple of 6 has each pooling equally"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cells", type=int, default=8, help="slowest cells to list")
    parser.add_argument("--against", action="store_true")
    parser.add_argument("--test-only", action="store_true")
    options = parser.parse_args()
    for dimensions in options.dimensions:
        tasks = [
            (dimensions, seed, seed % POOLINGS == 0, not options.test_only) for seed in range(options.units)
        ]
        with ProcessPoolExecutor(options.workers) as pool:
            units = list(pool.map(unit, tasks))
        elapsed = max(
            sum(one.wall for one in units if one.worker == worker) for worker in {one.worker for one in units}
        )
        year = sum(one.seconds for one in units) * MACHINES * POOLINGS / options.units / options.workers
        print(
            f"D = {dimensions}: {options.units} of {MACHINES * POOLINGS} units, "
            f"{len(units[0].cells) - 1} cells, "
            f"{elapsed:.1f} s on the wall; a unit {min(one.seconds for one in units):.2f} s at best, a year "
            f"{year:.0f} s on {options.workers} cores, {max(one.memory for one in units):.0f} MB a process"
        )
        least = {name: min(one.cells.get(name, np.inf) for one in units) for name in units[0].cells}
        for name in sorted(least, key=least.get, reverse=True)[: options.cells]:
            print(f"  {name:<44} {least[name]:7.3f} s")
        if options.against:
            compare(dimensions, min(one.seconds for one in units))


if __name__ == "__main__":
    main()
