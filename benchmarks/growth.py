"""Time and memory of nearest neighbours over bank sizes, a thousand clips to a million; optionally a plot.

    python benchmarks/growth.py [--sizes 1000 10000 100000] [--plot docs/images/growth.svg]

200 test clips are scored by `knn` (cosine, D = 768), and for banks up to --self clips the bank itself is
scored leave-one-out. Each size runs in a process of its own: processor seconds on one thread, and the peak
memory for the test clips above that of the imports and of the embeddings.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from asdflow.pipeline import build
from asdflow.references.bank import Bank, Queries

DIMENSIONS, TEST = 768, 200
SPEC = {"backend": {"name": "knn", "k": 1, "metric": "cosine"}}


def measured(task: tuple[int, bool]) -> tuple[float, float | None, float]:
    """Seconds for the test clips, for the self-scores if wanted, and peak MB beside the embeddings."""
    size, with_self = task
    draw = np.random.default_rng(size)
    clips = np.empty((size, DIMENSIONS), dtype=np.float32)
    for start in range(0, size, 10_000):
        part = clips[start : start + 10_000]
        part[:] = draw.standard_normal(part.shape, dtype=np.float32) + 1
    test = draw.standard_normal((TEST, DIMENSIONS), dtype=np.float32) + 1
    small = Bank(test[:32])  # loads what is compiled
    build.detector(SPEC).fit(small).self_scores()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bank = Bank(clips)
    detector = build.detector(SPEC).fit(bank)
    begin = time.process_time()
    detector.score_samples(Queries(test, bank))
    for_test = time.process_time() - begin
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
    for_self = None
    if with_self:
        begin = time.process_time()
        detector.self_scores()
        for_self = time.process_time() - begin
    return for_test, for_self, memory


def plot(rows: list[tuple[int, float, float | None, float]], file: str) -> None:
    """Two panels: seconds and megabytes over the size of the bank."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "growth"
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    sizes = [row[0] for row in rows]
    left.plot(sizes, [row[1] for row in rows], "o-", color="#0072b2")
    left.annotate("200 test clips", (sizes[3], rows[3][1]), (8, -12), textcoords="offset points")
    own = [(row[0], row[2]) for row in rows if row[2] is not None]
    left.plot(*zip(*own, strict=True), "s-", color="#d55e00")
    left.annotate("self-scores", own[-1], (8, -2), textcoords="offset points")
    left.set(xscale="log", yscale="log", xlabel="clips in the bank", ylabel="processor seconds")
    left.set_title("Linear for test clips, quadratic for self-scores")
    right.plot(sizes, [row[3] for row in rows], "o-", color="#0072b2")
    right.set(xscale="log", yscale="log", xlabel="clips in the bank", ylabel="MB beside the embeddings")
    right.set_title("Memory for the test clips is bounded by tiles")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    """Measure every size in turn, print, plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000]
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes)
    parser.add_argument("--self", dest="own", type=int, default=30_000, help="largest bank with self-scores")
    parser.add_argument("--plot", help="write the figure there")
    options = parser.parse_args()
    rows = []
    for size in options.sizes:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            rows.append((size, *pool.submit(measured, (size, size <= options.own)).result()))
        _, for_test, for_self, memory = rows[-1]
        own = "" if for_self is None else f", self-scores {for_self:.2f} s"
        print(f"{size:>9} clips: 200 test clips {for_test:.3f} s{own}, {memory:.0f} MB", flush=True)
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
