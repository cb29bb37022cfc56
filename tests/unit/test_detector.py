"""A detector: composition, protocol, refusals, and what holds for every backend and normalization."""

from __future__ import annotations

import numpy as np
import pytest

from asdflow.foundation.errors import ConfigError, DataError
from asdflow.geometry.distances import pairwise
from asdflow.pipeline import build

SPECS = {
    "knn cosine": {"backend": {"name": "knn", "k": 2}},
    "knn euclidean": {"backend": {"name": "knn", "metric": "euclidean"}, "normalization": {"name": "none"}},
    "density ratio": {"backend": {"name": "knn"}, "normalization": {"name": "density_ratio", "k": 2}},
    "density ratio r": {"backend": {"name": "knn"}, "normalization": [{"name": "density_ratio", "r": 0.9}]},
    "mahalanobis": {"backend": {"name": "mahalanobis"}},
    "mahalanobis selective": {"backend": {"name": "mahalanobis", "variant": "selective"}},
    "pca": {"backend": {"name": "pca_residual", "variance": 0.9}},
}


@pytest.fixture(scope="module")
def data():
    """Bank of 60 source and 8 shifted target clips, their domains, 25 test clips; 24 dimensions."""
    draw = np.random.default_rng(5)
    scale = np.exp(-np.arange(24) / 6)
    bank = draw.normal(size=(68, 24)) * scale + 1
    bank[60:] += 2 * scale[::-1]
    domain = np.repeat([0, 1], [60, 8])
    return bank, domain, draw.normal(size=(25, 24)) * scale + 1.2


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_shared_distances_change_no_bit(spec, data):
    bank, domain, test = data
    alone, sharing = build.detector(spec).fit(bank, domain), build.detector(spec)
    sharing.fit(bank, domain, distances={name: pairwise(bank, bank, name) for name in sharing.metrics})
    shared = {name: pairwise(test, bank, name) for name in sharing.metrics}
    np.testing.assert_array_equal(alone.score_samples(test), sharing.score_samples(test, shared))
    np.testing.assert_array_equal(alone.self_scores(), sharing.self_scores())


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_a_self_score_is_the_score_after_fitting_without_the_clip(spec, data):
    bank, domain, _ = data
    own = build.detector(spec).fit(bank, domain).self_scores()
    for clip in (0, 17, 59, 60, 67):
        rest = np.arange(len(bank)) != clip
        refit = build.detector(spec).fit(bank[rest], domain[rest])
        np.testing.assert_allclose(own[clip], refit.score_samples(bank[[clip]])[0], rtol=1e-9)


def test_a_score_before_fit_is_refused(data):
    with pytest.raises(ConfigError, match="has not seen a bank"):
        build.detector(SPECS["pca"]).score_samples(data[2])


def test_nan_in_the_bank_names_the_row(data):
    bank = data[0].copy()
    bank[7, 3] = np.nan
    with pytest.raises(DataError, match="first row 7"):
        build.detector(SPECS["pca"]).fit(bank)


def test_density_around_a_mean_is_refused_with_the_reason():
    with pytest.raises(ConfigError, match="compares a clip with a mean"):
        build.detector({"backend": {"name": "mahalanobis"}, "normalization": {"name": "density_ratio"}})


def test_an_error_names_the_detector_as_it_is_configured_and_nothing_else():
    detector = build.detector({"backend": {"name": "mahalanobis"}, "normalization": {"name": "zscore"}})
    assert repr(detector).startswith("detector mahalanobis(variant='pooled') + zscore(")
    assert "refuses" not in repr(detector)
