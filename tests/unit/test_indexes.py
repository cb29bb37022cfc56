"""Search by an index: exact where it is promised, approximate within what is documented."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest
from test_backends import clustered

from asdflow.foundation.errors import ConfigError
from asdflow.pipeline import build

pytest.importorskip("faiss", reason="the extra `faiss` is not installed")


@pytest.fixture(scope="module")
def data():
    """(bank, domain, test) with copies, large enough for lists."""
    bank, domain, test = clustered(1500, 20, 24, 7)
    again = np.r_[np.arange(len(bank)), 3, 3, len(bank) - 1]
    return bank[again].astype(np.float32), domain[again], np.r_[test, bank[:2]].astype(np.float32)


def knn(metric="cosine", normalization="none", **parameters):
    return build.detector(
        {
            "backend": {"name": "knn", "k": 3, "metric": metric, **parameters},
            "normalization": {"name": normalization},
        }
    )


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("normalization", ["none", "domain_standardise", "conformal"])
@pytest.mark.parametrize("index", [{"index": "faiss"}, {"index": "faiss_ivf", "probes": 1000}])
def test_an_index_that_looks_at_every_clip_gives_the_scores_of_the_plain_search(
    metric, normalization, index, data
):
    bank, domain, test = data
    plain, indexed = (knn(metric, normalization, **given).fit(bank, domain) for given in ({}, index))
    # The plain search takes distances from products, with a relative error below 1e-8.
    np.testing.assert_allclose(indexed.score_samples(test), plain.score_samples(test), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(indexed.self_scores(), plain.self_scores(), rtol=1e-7, atol=1e-9)


def test_an_approximate_index_misses_neighbours_and_never_invents_nearer_ones():
    draw = np.random.default_rng(1)
    bank, test = draw.normal(size=(2000, 24)), draw.normal(size=(100, 24))
    exact, few = (knn(index=kind, probes=1).fit(bank).score_samples(test) for kind in ("faiss", "faiss_ivf"))
    assert (few >= exact * (1 - 1e-12)).all()
    assert (few > exact * 1.01).any()


def test_references_that_were_changed_are_refused_with_the_reason():
    with pytest.raises(ConfigError, match="an index finds the clips"):
        knn(normalization="density_ratio", index="faiss")


def test_a_pickled_detector_builds_its_index_anew_with_the_same_scores(data):
    bank, domain, test = data
    detector = knn(index="faiss_ivf", probes=2).fit(bank, domain)
    before = detector.score_samples(test)
    pickled = pickle.dumps(detector)
    np.testing.assert_array_equal(pickle.loads(pickled).score_samples(test), before)
    assert len(pickled) < 2 * bank.nbytes


def test_without_faiss_the_error_names_the_extra(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ConfigError, match=r"asdflow\[faiss\]"):
        knn(index="faiss").fit(data[0])
