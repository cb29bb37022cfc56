"""A fitted detector is pickled whole, without what it can compute again."""

import pickle

import numpy as np
import pytest
from test_backends import clustered
from test_scoring_laws import GRID

from asdflow.pipeline import build

#: Bytes of a reference, beside two vectors of doubles: its recipe, its density in each band, its neighbours.
BESIDE = 100
#: Bytes of names and parameters.
NAMES = 6_000


@pytest.fixture(scope="module")
def data():
    """(bank, domain, test), far more clips than dimensions."""
    bank, domain, test = clustered(290, 10, 12, 4)
    bank[7] = bank[3]
    return bank.astype(np.float32), domain, test.astype(np.float32)


@pytest.mark.parametrize("name", GRID)
def test_a_detector_that_was_pickled_gives_the_same_bits_and_weighs_no_more_than_its_references(name, data):
    bank, domain, test = data
    detector = build.detector(GRID[name]).fit(bank, domain)
    before = detector.score_samples(test), detector.self_scores()
    pickled = pickle.dumps(detector)
    again = pickle.loads(pickled)
    np.testing.assert_array_equal(again.score_samples(test), before[0])
    np.testing.assert_array_equal(again.self_scores(), before[1])
    references = len(bank) * (2 if name.split()[1] in ("smote", "memmixup", "dads") else 1)  # at most
    assert len(pickled) < NAMES + references * (2 * 8 * bank.shape[1] + BESIDE)
