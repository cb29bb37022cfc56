"""Axes of the source clips: those of the whole bank less its target clips, or their own."""

import numpy as np
import pytest
import scoring_truth as truth
from test_backends import clustered

from asdflow.backends import REGISTRY, mahalanobis
from asdflow.references.bank import Bank, Queries
from asdflow.references.references import References


def selective(bank, domain, test):
    """(scores, self-scores) against both means, and whether the axes are those of the whole bank."""
    bank = Bank(bank, domain)
    fitted = REGISTRY.build({"name": "mahalanobis", "variant": "selective"}).fit(References(bank))
    scores = fitted.domain_scores(Queries(test, bank)), fitted.domain_self_scores()
    return scores, fitted.axes.removed is not None


@pytest.mark.parametrize("dimensions", [12, 120], ids=["N > D", "D > N"])
def test_both_ways_give_the_same(dimensions, monkeypatch):
    data = clustered(60, 8, dimensions, 3)
    shared, of_the_bank = selective(*data)
    assert of_the_bank
    monkeypatch.setattr(mahalanobis, "FEW", 7)
    own, of_the_bank = selective(*data)
    assert not of_the_bank
    for found, expected in zip(shared, own, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_direction_that_only_target_clips_have_is_left_to_the_source(monkeypatch):
    """Without shrinkage to speak of, nothing would be left of it but rounding."""
    bank, domain, test = clustered(4000, 8, 6, 3)
    bank[domain == 0, 0] = 1.0
    bank[domain == 1, 0] *= 1e4
    scores, of_the_bank = selective(bank, domain, test)
    assert not of_the_bank
    expected = [truth.selective(x, bank, domain) for x in test]
    np.testing.assert_allclose(scores[0].min(axis=0), expected, rtol=1e-6)


def test_beside_one_clip_far_away_nothing_but_shrinkage_is_left():
    """Ledoit and Wolf's rho is 1, of all source clips and of those that are left: nothing is solved."""
    bank, domain, test = clustered(60, 8, 6, 3)
    bank[5] += 1e3
    scores, of_the_bank = selective(bank, domain, test)
    assert of_the_bank
    expected = [
        truth.selective(bank[clip], np.delete(bank, clip, axis=0), np.delete(domain, clip))
        for clip in range(len(bank))
    ]
    np.testing.assert_allclose(scores[1].min(axis=0), expected, rtol=1e-6)
