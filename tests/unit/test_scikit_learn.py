"""A detector among scikit-learn's estimators: copied unfitted, and the last step of a pipeline."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from asdflow.pipeline import build

SPEC = {"backend": {"name": "knn"}, "normalization": [{"name": "density_ratio"}, {"name": "zscore"}]}


@pytest.fixture
def bank():
    return np.random.default_rng(0).normal(2.0, 1.0, (50, 6))


@pytest.fixture
def new():
    return np.random.default_rng(1).normal(2.0, 2.0, (8, 6))


def test_a_clone_has_the_parameters_and_no_bank(bank, new):
    fitted = build.detector(SPEC).fit(bank)
    copy = clone(fitted)
    assert repr(copy) == repr(fitted)
    with pytest.raises(NotFittedError):
        check_is_fitted(copy)
    np.testing.assert_array_equal(copy.fit(bank).score_samples(new), fitted.score_samples(new))


def test_a_pipeline_scales_bank_and_clips_alike(bank, new):
    mean, deviation = bank.mean(axis=0), bank.std(axis=0)
    alone = build.detector(SPEC).fit((bank - mean) / deviation)
    chain = make_pipeline(StandardScaler(), build.detector(SPEC)).fit(bank)
    np.testing.assert_allclose(
        chain.score_samples(new), alone.score_samples((new - mean) / deviation), rtol=1e-6
    )


def test_the_domain_goes_where_scikit_learn_has_its_target(bank, new):
    domain = np.arange(50) % 2
    spec = {"backend": {"name": "domain_knn"}}
    chain = make_pipeline(StandardScaler(with_mean=False, with_std=False), build.detector(spec))
    np.testing.assert_array_equal(
        chain.fit(bank, domain).score_samples(new), build.detector(spec).fit(bank, domain).score_samples(new)
    )


def test_cross_validation_fits_a_copy_for_each_fold(bank):
    detector = build.detector({"backend": {"name": "knn", "metric": "euclidean"}})
    found = cross_val_score(detector, bank, cv=5, scoring=lambda one, x, y=None: one.score_samples(x).sum())
    for fold, value in enumerate(found):
        part = np.arange(50) // 10 == fold
        away = np.linalg.norm(bank[part][:, None] - bank[~part][None], axis=2).min(axis=1)
        assert value == pytest.approx(away.sum(), rel=1e-6)
    with pytest.raises(NotFittedError):
        check_is_fitted(detector)
