"""Copies in the bank: for backends of local densities a set of exact copies is one clip."""

from __future__ import annotations

import numpy as np
import pytest

from asdflow.pipeline import build

BACKENDS = [
    {"name": "lof", "k": 4},
    {"name": "loop", "k": 4},
    {"name": "loop", "k": 4, "score": "probability"},
    {"name": "ldof", "k": 4},
    {"name": "csls", "k": 4},
    {"name": "csls", "k": 4, "query_term": True},
    {"name": "variance_minimisation", "k": 3},
]


@pytest.fixture
def clips():
    """Thirty normal clips, and five that are no clip's copy."""
    random = np.random.default_rng(3)
    return random.normal(size=(30, 6)).astype(np.float32), random.normal(size=(5, 6)).astype(np.float32)


def copied(bank, clip=7, times=6):
    """The bank with copies of one clip at its end."""
    return np.concatenate([bank, np.repeat(bank[clip : clip + 1], times, axis=0)])


@pytest.mark.parametrize("backend", BACKENDS, ids=str)
def test_repeating_a_clip_of_the_bank_changes_no_score_of_others(backend, clips):
    bank, new = clips
    plain = build.detector({"backend": backend}).fit(bank).score_samples(new)
    np.testing.assert_allclose(
        build.detector({"backend": backend}).fit(copied(bank)).score_samples(new), plain, rtol=1e-9
    )


@pytest.mark.parametrize("backend", BACKENDS, ids=str)
def test_self_scores_are_those_of_refitting_without_the_one_copy(backend, clips):
    bank = copied(clips[0])
    own = build.detector({"backend": backend}).fit(bank).self_scores()
    for clip in (0, 7, 12, 30, len(bank) - 1):
        rest = build.detector({"backend": backend}).fit(np.delete(bank, clip, axis=0))
        np.testing.assert_allclose(rest.score_samples(bank[clip : clip + 1])[0], own[clip], rtol=1e-7)


def test_lof_does_not_call_the_normal_clip_beside_copies_the_most_anomalous(clips):
    bank = copied(clips[0])
    beside, far = bank[7] + 0.05, 4 * np.abs(bank).max() * np.ones(6, dtype=np.float32)
    scores = {}
    for duplicates in ("count", "distinct"):
        spec = {"backend": {"name": "lof", "k": 4, "metric": "euclidean", "duplicates": duplicates}}
        scores[duplicates] = build.detector(spec).fit(bank).score_samples(np.stack([beside, far]))
    assert scores["count"][0] > 1e6 > scores["count"][1]
    assert scores["distinct"][0] < 2 < scores["distinct"][1]
