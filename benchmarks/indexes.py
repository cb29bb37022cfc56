"""Approximate nearest neighbours: time, recall and effect on the AUC, by how many lists are looked at.

    python benchmarks/indexes.py [--clips 50000] [--dimensions 768] [--probes 1 4 16 64]

The bank is drawn from 64 clusters of low dimension (as embeddings of machines are), 1,000 test clips from the
same, half of them moved off: anomalies. Recall is the share of test clips whose nearest clip is found.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.metrics import roc_auc_score

from asdflow.pipeline import build
from asdflow.references.bank import Bank, Queries

CLUSTERS, WITHIN, TEST = 64, 16, 1000


def clips(size: int, dimensions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bank, test clips and which of these are anomalous."""
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(CLUSTERS, dimensions))
    axes = draw.normal(size=(CLUSTERS, WITHIN, dimensions)) / 2

    def sample(count: int) -> np.ndarray:
        cluster = draw.integers(CLUSTERS, size=count)
        inner = draw.normal(size=(count, WITHIN))
        points = np.empty((count, dimensions), dtype=np.float32)
        for one in range(CLUSTERS):
            points[cluster == one] = centres[one] + inner[cluster == one] @ axes[one]
        return points + 0.1 * draw.normal(size=points.shape).astype(np.float32)

    bank, test = sample(size), sample(TEST)
    anomalous = np.arange(TEST) % 2 == 1
    test[anomalous] += 0.3 * draw.normal(size=(anomalous.sum(), dimensions)).astype(np.float32)
    return bank, test, anomalous


def main() -> None:
    """Score by every index and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=50_000)
    parser.add_argument("--dimensions", type=int, default=768)
    parser.add_argument("--probes", type=int, nargs="+", default=[1, 4, 16, 64])
    options = parser.parse_args()
    vectors, test, anomalous = clips(options.clips, options.dimensions)
    print(f"{options.clips} clips of {options.dimensions} dimensions, {TEST} test clips")
    exact = None
    indexes = [{"index": "exact"}, {"index": "faiss"}]
    indexes += [{"index": "faiss_ivf", "probes": probes} for probes in options.probes]
    for index in indexes:
        bank = Bank(vectors)
        detector = build.detector({"backend": {"name": "knn", "k": 1, **index}}).fit(bank)
        begin = time.process_time()
        detector.score_samples(Queries(test[:1], bank))
        built = time.process_time() - begin
        begin = time.process_time()
        scores = detector.score_samples(Queries(test, bank))
        searched = time.process_time() - begin
        exact = scores if exact is None else exact
        recall = np.mean(np.isclose(scores, exact, rtol=1e-6, atol=1e-12))
        name = " ".join(map(str, index.values()))
        print(
            f"{name:<14} first clip {built:6.2f} s, then {searched:6.2f} s, "
            f"recall {recall:.3f}, AUC {roc_auc_score(anomalous, scores):.4f}"
        )


if __name__ == "__main__":
    main()
