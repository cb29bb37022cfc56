"""Selective Mahalanobis: the covariance of the source clips, found within the axes of the whole bank."""

import numpy as np
import pytest
import scoring_truth as truth
from test_backends import clustered

from asdflow.foundation.errors import DataError
from asdflow.pipeline import build


def selective(bank, domain, test):
    """Scores and self-scores."""
    fitted = build.detector({"backend": {"name": "mahalanobis", "variant": "selective"}}).fit(bank, domain)
    return fitted.score_samples(test), fitted.self_scores()


def test_a_direction_that_only_target_clips_have_is_left_to_the_source():
    """Without shrinkage to speak of, nothing would be left of it but rounding."""
    bank, domain, test = clustered(4000, 8, 6, 3)
    bank[domain == 0, 0] = 1.0
    bank[domain == 1, 0] *= 1e4
    scores, _ = selective(bank, domain, test)
    expected = [truth.selective(x, bank, domain) for x in test]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_beside_one_clip_far_away_nothing_but_shrinkage_is_left():
    """Ledoit and Wolf's rho is 1, of all source clips and of those that are left: nothing is solved."""
    bank, domain, test = clustered(60, 8, 6, 3)
    bank[5] += 1e3
    _, own = selective(bank, domain, test)
    expected = [
        truth.selective(bank[clip], np.delete(bank, clip, axis=0), np.delete(domain, clip))
        for clip in range(len(bank))
    ]
    np.testing.assert_allclose(own, expected, rtol=1e-6)


@pytest.mark.parametrize("dimensions", [6, 120], ids=["N > D", "D > N"])
def test_source_clips_that_are_all_alike_have_no_covariance(dimensions):
    bank, domain, test = clustered(60, 8, dimensions, 3)
    bank[domain == 0] = bank[0]
    with pytest.raises(DataError, match="without any spread"):
        selective(bank, domain, test)


@pytest.mark.parametrize("dimensions", [12, 120], ids=["N > D", "D > N"])
def test_target_clips_off_the_span_of_the_source_are_scored_as_the_formula_says(dimensions):
    bank, domain, test = clustered(60, 8, dimensions, 3)
    bank[domain == 0, :3] = 1.0
    scores, own = selective(bank, domain, test)
    np.testing.assert_allclose(scores, [truth.selective(x, bank, domain) for x in test], rtol=1e-8)
    for clip in (0, 59, 60, 67):
        rest = np.arange(68) != clip
        assert own[clip] == pytest.approx(truth.selective(bank[clip], bank[rest], domain[rest]), rel=1e-8)
