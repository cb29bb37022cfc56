"""Copies of one clip in the bank must not turn a ranking upside down."""

from __future__ import annotations

import numpy as np
import pytest

from asdflow.pipeline import build

LOCAL = ("lof", "ldof", "loop")


@pytest.fixture(scope="module")
def clips():
    """(40, 8) bank; a normal clip near its first one; (20, 8) anomalies far from all."""
    rng = np.random.default_rng(3)
    bank = rng.normal(size=(40, 8))
    return bank, bank[:1] + 0.05 * rng.normal(size=(1, 8)), 3.0 * rng.normal(size=(20, 8)) + 4.0


def scores(backend: str, bank, test) -> np.ndarray:
    spec = {"backend": {"name": backend, "k": 5, "metric": "euclidean"}}
    return build.detector(spec).fit(bank).score_samples(test)


@pytest.mark.parametrize("backend", LOCAL)
def test_without_copies_the_normal_clip_is_below_every_anomaly(backend, clips):
    bank, normal, anomalies = clips
    assert scores(backend, bank, normal)[0] < scores(backend, bank, anomalies).min()


@pytest.mark.parametrize("backend", LOCAL)
def test_with_more_copies_of_one_clip_than_neighbours_it_still_is(backend, clips):
    bank, normal, anomalies = clips
    copies = np.concatenate([bank, np.repeat(bank[:1], 6, axis=0)])
    assert scores(backend, copies, normal)[0] < scores(backend, copies, anomalies).min()
