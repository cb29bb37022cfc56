"""Backends against their formulas in plain loops, on banks that are awkward in the ways banks are."""

from __future__ import annotations

import numpy as np
import pytest
import scoring_truth as truth

from asdflow.foundation.errors import ConfigError
from asdflow.pipeline import build

# Each backend's entry, and its formula for one clip x, references y and their domains.
METHODS = {
    "knn": ({"k": 1}, lambda x, y, g: truth.knn(x, y, "cosine")),
    "knn euclidean 3": ({"k": 3, "metric": "euclidean"}, lambda x, y, g: truth.knn(x, y, "euclidean", 3)),
    "domain_knn": (
        {"k_source": 4, "k_target": 2, "metric": "euclidean"},
        lambda x, y, g: truth.domain_knn(x, y, g, "euclidean", 4, 2),
    ),
    "domain_knn cosine": ({}, lambda x, y, g: truth.domain_knn(x, y, g, "cosine", 1, 1)),
    "beam": ({"bands": 4, "k": 2}, lambda x, y, g: truth.beam(x, y, 4, "cosine", 2)),
    "beam euclidean": (
        {"bands": 3, "metric": "euclidean"},
        lambda x, y, g: truth.beam(x, y, 3, "euclidean"),
    ),
    "adabeam": ({"bands": 3}, lambda x, y, g: truth.adabeam(x, y, 3, "cosine")),
    "mahalanobis": ({}, lambda x, y, g: truth.mahalanobis(x, y)),
    "mahalanobis selective": ({"variant": "selective"}, lambda x, y, g: truth.selective(x, y, g)),
    "pca_residual rank": ({"rank": 3}, lambda x, y, g: truth.pca(x, y, rank=3)),
    "pca_residual variance": ({"variance": 0.9}, lambda x, y, g: truth.pca(x, y, variance=0.9)),
    "lof": ({"k": 5}, lambda x, y, g: truth.lof(x, y, "cosine", 5)),
    "lof euclidean": ({"k": 3, "metric": "euclidean"}, lambda x, y, g: truth.lof(x, y, "euclidean", 3)),
    "ldof": ({"k": 4}, lambda x, y, g: truth.ldof(x, y, "euclidean", 4)),
    "loop": ({"k": 4}, lambda x, y, g: truth.loop(x, y, "euclidean", 4)),
    "loop probability": (
        {"k": 4, "score": "probability"},
        lambda x, y, g: truth.loop(x, y, "euclidean", 4, probability=True),
    ),
    "csls": ({"k": 5}, lambda x, y, g: truth.csls(x, y, 5)),
    "csls query": ({"k": 5, "query_term": True}, lambda x, y, g: truth.csls(x, y, 5, query_term=True)),
    "variance_minimisation": (
        {"k": 4},
        lambda x, y, g: truth.variance_minimisation(x, y, "euclidean", 4, "linear"),
    ),
    "variance_minimisation log": (
        {"k": 1, "space": "log", "metric": "cosine"},
        lambda x, y, g: truth.variance_minimisation(x, y, "cosine", 1, "log"),
    ),
    "variance_minimisation full": (
        {"k": 2, "space": "log", "pairs": "full"},
        lambda x, y, g: truth.variance_minimisation(x, y, "euclidean", 2, "log", "full"),
    ),
    "variance_minimisation bands": (
        {"k": 2, "bands": 2},
        lambda x, y, g: np.mean(
            [truth.variance_minimisation(a, b, "euclidean", 2, "linear") for a, b in halves(x, y)]
        ),
    ),
}
NAMES = list(METHODS)


def halves(x, y):
    """The two bands of a clip and of the references."""
    middle = len(x) // 2
    return [(x[:middle], y[:, :middle]), (x[middle:], y[:, middle:])]


def detector(name):
    """Detector of an entry of METHODS."""
    return build.detector({"backend": {"name": name.split()[0], **METHODS[name][0]}})


def clustered(source, target, dimensions, seed):
    """Two anisotropic source clusters and a shifted target; bank, domain, test."""
    draw = np.random.default_rng(seed)
    mix = draw.normal(size=(dimensions, dimensions)) * np.exp(-np.arange(dimensions) / (dimensions / 5))
    bank = draw.normal(size=(source + target, dimensions)) @ mix + 4.0
    bank[: source // 2] += 3 * draw.normal(size=dimensions)
    bank[source:] += 2 * draw.normal(size=dimensions)
    test = draw.normal(size=(6, dimensions)) @ mix * 1.3 + 4.0
    return bank, np.repeat([0, 1], [source, target]), test


@pytest.fixture(scope="module", params=["more clips than dimensions", "more dimensions than clips"])
def data(request):
    """(bank, domain, test) of either shape."""
    return clustered(40, 6, 12, 1) if request.param.startswith("more clips") else clustered(26, 5, 48, 2)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_the_formula(name, data):
    bank, domain, test = data
    expected = [METHODS[name][1](x, bank, domain) for x in test]
    np.testing.assert_allclose(detector(name).fit(bank, domain).score_samples(test), expected, rtol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_self_scores_are_those_of_the_formula_without_the_clip(name, data):
    bank, domain, _ = data
    clips = [0, len(bank) // 2, len(bank) - 2, len(bank) - 1]
    own = detector(name).fit(bank, domain).self_scores()
    for clip in clips:
        rest = np.arange(len(bank)) != clip
        expected = METHODS[name][1](bank[clip], bank[rest], domain[rest])
        np.testing.assert_allclose(own[clip], expected, rtol=1e-7, err_msg=f"clip {clip}")


@pytest.mark.parametrize("name", [*NAMES, "gmm"])
def test_single_precision_scores_are_within_a_ten_thousandth(name, data):
    bank, domain, test = data
    METHODS_GMM = build.detector({"backend": {"name": "gmm"}}) if name == "gmm" else detector(name)
    double = METHODS_GMM.fit(bank.astype(np.float32).astype(np.float64), domain).score_samples(test)
    single = METHODS_GMM.fit(bank.astype(np.float32), domain).score_samples(test.astype(np.float32))
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-4 * np.abs(double).mean())


def test_a_rank_beyond_the_axes_that_the_bank_varies_along_is_refused():
    """What would be left is rounding, which another processor rounds otherwise."""
    draw = np.random.default_rng(7)
    bank = draw.normal(size=(60, 5)) @ draw.normal(size=(5, 12))
    with pytest.raises(ConfigError, match=r"vary along 5 axes above rounding, .* only up to rank 4"):
        build.detector({"backend": {"name": "pca_residual", "rank": 5}}).fit(bank)
    fitted = build.detector({"backend": {"name": "pca_residual", "rank": 4}}).fit(bank)
    assert np.isfinite(fitted.self_scores()).all()
