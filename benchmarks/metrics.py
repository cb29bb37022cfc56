"""Speed of bootstrap intervals: one pass over weighted clips against scikit-learn in a loop.

    python benchmarks/metrics.py [--rounds 1000] [--machines 15] [--systems 13] [--clips 200]

Both sides compute the same quantity, the official score's three terms of every system and machine in every
resample, from the same resamples. The loop is run on the first few rounds of each and its time scaled by the
number of rounds (its cost a round is constant); their values must agree to 1e-12 or the benchmark fails.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.metrics import roc_auc_score

from asdflow.metrics import evaluate
from asdflow.metrics.labels import labels
from asdflow.metrics.measure import OFFICIAL
from asdflow.metrics.resampled import matrix, resample
from asdflow.metrics.resampling import units

SEED_NAME = "benchmark"
AGREEMENT = 1e-12


def study(machines: int, systems: int, clips: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Scores and labels of `clips` test clips a machine, a quarter for each domain and label.

    Half of the systems have rounded scores, so that ties occur.
    """
    cell = np.tile(np.arange(4), machines * clips // 4)
    label = {
        "anomaly": cell % 2,
        "domain": cell // 2,
        "machine": np.repeat([f"machine{i:02d}" for i in range(machines)], len(cell) // machines),
    }
    rng = np.random.default_rng(0)
    score = {f"system{i:02d}": rng.normal(size=len(cell)) + 0.5 * label["anomaly"] for i in range(systems)}
    return {k: np.round(v, 1) if i % 2 else v for i, (k, v) in enumerate(score.items())}, label


def loop(score: np.ndarray, known, groups, rounds: int) -> np.ndarray:
    """(machines, systems, 3, rounds) terms by scikit-learn, one call a term."""
    values = np.empty((len(groups), len(score), 3, rounds))
    for place, unit in enumerate(groups):
        weights = unit.bootstrap(rounds, SEED_NAME)[:, 1:].astype(np.int64)
        for index, row in enumerate(score):
            for column in range(rounds):
                drawn = np.repeat(unit.rows, weights[:, column])
                anomaly = known.anomaly[drawn]
                for domain in (0, 1):
                    rows = drawn[anomaly | (known.target[drawn] == domain)]
                    values[place, index, domain, column] = roc_auc_score(known.anomaly[rows], row[rows])
                values[place, index, 2, column] = roc_auc_score(anomaly, row[drawn], max_fpr=0.1)
    return values


def main() -> None:
    """Time both, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--machines", type=int, default=15)
    parser.add_argument("--systems", type=int, default=13)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--loop-rounds", type=int, default=10)
    options = parser.parse_args()
    systems, label = study(options.machines, options.systems, options.clips)

    begin = time.perf_counter()
    table = evaluate(systems, **label, rounds=options.rounds, seed_name=SEED_NAME)
    whole = time.perf_counter() - begin

    known = labels(**label)
    score, groups = matrix(systems, known), units(known)
    few = options.loop_rounds
    begin = time.perf_counter()
    reference = loop(score, known, groups, few)
    slow = (time.perf_counter() - begin) * options.rounds / few

    ours = [part.values[0, ..., 1:] for part in resample(OFFICIAL, score, known, groups, few, SEED_NAME)]
    difference = float(np.abs(np.stack(ours) - reference).max())

    print(
        f"{options.rounds} rounds x {options.machines} machines x {options.systems} systems "
        f"of {options.clips} clips, {len(table['system'])} intervals"
    )
    print(f"asdflow, labels to intervals          {whole:9.2f} s")
    print(f"scikit-learn loop ({few} rounds, scaled) {slow:9.2f} s")
    print(f"ratio                                 {slow / whole:9.0f}")
    print(f"largest difference                    {difference:9.1e}")
    if difference > AGREEMENT:
        raise SystemExit(f"values differ by more than {AGREEMENT}")


if __name__ == "__main__":
    main()
