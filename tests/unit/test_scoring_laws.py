"""What holds for every backend with every normalization that it takes, and agreement with scikit-learn."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from test_backends import METHODS, clustered

from asdflow import backends, normalizations
from asdflow.foundation.errors import AsdflowError, ConfigError
from asdflow.geometry import distances
from asdflow.pipeline import build
from asdflow.references.bank import Bank, Queries

PARAMETERS = {
    "beam": {"bands": 3},
    "adabeam": {"bands": 3},
    "lof": {"k": 4},
    "ldof": {"k": 4},
    "loop": {"k": 4},
    "csls": {"k": 4},
    "smote": {"k": 3, "ratio": 0.8},
    "memmixup": {"k": 5},
    "source_means": {"n": 5},
    "domain_density": {"k_source": 4, "k_target": 3},
    "cluster_exit": {"k": 6},
}


def entry(name):
    """A member with parameters for small banks."""
    return {"name": name, **PARAMETERS.get(name, {})}


def grid():
    """Every pair that is not refused."""
    found = {}
    for backend in backends.REGISTRY.names():
        for normalization in normalizations.REGISTRY.names():
            spec = {"backend": entry(backend), "normalization": entry(normalization)}
            try:
                build.detector(spec)
            except ConfigError:
                continue
            found[f"{backend} {normalization}"] = spec
    return found


GRID = grid()


@pytest.fixture(scope="module")
def data():
    """(bank, domain, test), more dimensions than clips; as single precision stores them."""
    bank, domain, test = clustered(34, 6, 48, 3)
    return bank.astype(np.float32), domain, test.astype(np.float32)


def scored(spec, bank, domain, test):
    """Test scores and self-scores."""
    detector = build.detector(spec).fit(bank, domain)
    return detector.score_samples(test), detector.self_scores()


def test_the_whole_grid_is_what_the_issue_lists():
    assert set(backends.REGISTRY.names()) >= {
        *("knn", "mahalanobis", "pca_residual", "gmm", "lof", "ldof", "loop", "csls"),
        *("domain_knn", "beam", "adabeam", "variance_minimisation"),
    }
    assert set(normalizations.REGISTRY.names()) >= {
        *("none", "density_ratio", "density_difference", "domain_density", "cluster_exit", "source_means"),
        *("smote", "memmixup", "zscore", "domain_standardise", "conformal", "dads"),
    }
    assert len(GRID) >= 65


@pytest.mark.parametrize("name", GRID)
def test_permuting_the_clips_permutes_the_scores(name, data):
    bank, domain, test = data
    draw = np.random.default_rng(1)
    rows, columns = draw.permutation(len(test)), draw.permutation(len(bank))
    plain, own = scored(GRID[name], bank, domain, test)
    other, other_own = scored(GRID[name], bank[columns], domain[columns], test[rows])
    np.testing.assert_allclose(other, plain[rows], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(other_own, own[columns], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in GRID if "domain_standardise" not in name])
def test_a_clip_has_the_same_score_whoever_is_scored_beside_it(name, data):
    bank, domain, test = data
    together, _ = scored(GRID[name], bank, domain, test)
    alone = [scored(GRID[name], bank, domain, test[[row]])[0][0] for row in range(3)]
    np.testing.assert_allclose(alone, together[:3], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [(34, 6, 48, 3), (60, 8, 12, 4)], ids=["D > N", "N > D"])
@pytest.mark.parametrize("name", GRID)
def test_single_precision_embeddings_give_the_scores_of_double_precision_ones(name, shape):
    bank, domain, test = clustered(*shape)
    double = scored(GRID[name], bank, domain, test)
    single = scored(GRID[name], bank.astype(np.float32), domain, test.astype(np.float32))
    for of_single, of_double in zip(single, double, strict=True):
        size = np.abs(of_double).mean()
        np.testing.assert_allclose(of_single, of_double, rtol=1e-4, atol=1e-4 * size)


@pytest.mark.parametrize("backend", backends.REGISTRY.names())
def test_detectors_that_share_a_bank_give_the_bits_that_they_give_alone(backend, data):
    bank, domain, test = data
    shared = Bank(bank, domain)
    queries = Queries(test, shared)
    for name in (name for name in GRID if name.split()[0] == backend):
        detector = build.detector(GRID[name]).fit(shared)
        plain, own = scored(GRID[name], bank, domain, test)
        np.testing.assert_array_equal(detector.score_samples(queries), plain, err_msg=name)
        np.testing.assert_array_equal(detector.self_scores(), own, err_msg=name)


@pytest.mark.parametrize("name", GRID)
def test_every_score_is_finite_where_clips_and_features_repeat(name, data):
    bank, domain, test = data
    bank, test = bank.copy(), test.copy()
    bank[:, 5], test[:, 5] = 2.0, 2.0  # a constant feature
    again = np.concatenate([np.arange(len(bank)), [2, 2, 7, len(bank) - 1]])
    both = np.concatenate([test, bank[[2, len(bank) - 1]], test[:1]])
    for values in scored(GRID[name], bank[again], domain[again], both):
        assert np.isfinite(values).all()


@pytest.mark.parametrize("name", GRID)
def test_one_target_clip_is_scored_or_refused_with_one_sentence(name, data):
    bank, domain, test = data
    few = np.r_[np.flatnonzero(domain == 0), len(bank) - 1]
    try:
        values = scored(GRID[name], bank[few], domain[few], test)
    except AsdflowError as error:
        assert "target" in str(error) or "domain" in str(error)
        return
    assert all(np.isfinite(part).all() for part in values)


@pytest.mark.parametrize("name", GRID)
def test_a_bank_without_domains_is_scored_or_refused_for_it(name, data):
    bank, _, test = data
    detector = build.detector(GRID[name])
    if detector.needs_domains:
        with pytest.raises(ConfigError, match="domain"):
            detector.fit(bank)
    else:
        assert np.isfinite(detector.fit(bank).score_samples(test)).all()


@pytest.mark.parametrize(
    "name", [name for name in METHODS if name.split()[0] in ("knn", "beam", "domain_knn")]
)
def test_copies_of_bank_clips_are_at_distance_exactly_0(name, data):
    bank, domain, _ = data
    backend = {"name": name.split()[0], **METHODS[name][0]} | {"k": 1}
    if backend["name"] == "domain_knn":
        backend = {"name": "domain_knn", "metric": backend.get("metric", "cosine")}
    detector = build.detector({"backend": backend}).fit(bank, domain)
    np.testing.assert_array_equal(detector.score_samples(bank[[0, 9, len(bank) - 1]]), 0.0)


@pytest.mark.parametrize(
    "backend",
    [
        *({"name": name, "k": 99} for name in ("knn", "lof", "ldof", "loop", "csls")),
        {"name": "beam", "bands": 3, "k": 99},
        {"name": "gmm", "components": 99},
        {"name": "domain_knn", "k_target": 99},
        {"name": "pca_residual", "rank": 99},
    ],
    ids=lambda backend: backend["name"],
)
def test_more_neighbours_than_clips_are_refused_with_the_number_there_are(backend, data):
    bank, domain, _ = data
    with pytest.raises(ConfigError, match="99"):
        build.detector({"backend": backend}).fit(bank, domain)


@pytest.mark.parametrize("backend", ["lof", "ldof", "loop", "knn"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_relative_scores_do_not_change_when_embeddings_are_scaled(backend, metric, data):
    bank, domain, test = (part.astype(np.float64) if part.dtype != int else part for part in data)
    spec = {"backend": {"name": backend, "k": 4, "metric": metric}}
    if backend == "knn":
        spec["normalization"] = {"name": "density_ratio", "k": 3}
    small, _ = scored(spec, bank, domain, test)
    large, _ = scored(spec, 1024 * bank, domain, 1024 * test)
    np.testing.assert_allclose(large, small, rtol=1e-6)


@pytest.mark.parametrize("normalization", ["zscore", "domain_standardise", "conformal"])
def test_normalized_scores_do_not_change_when_embeddings_are_scaled(normalization, data):
    bank, domain, test = data
    spec = {"backend": {"name": "knn", "metric": "euclidean"}, "normalization": entry(normalization)}
    small, _ = scored(spec, bank, domain, test)
    large, _ = scored(spec, 1024 * bank, domain, 1024 * test)
    np.testing.assert_allclose(large, small, rtol=1e-9, atol=1e-9)


def test_mahalanobis_does_not_change_when_embeddings_are_scaled(data):
    bank, domain, test = data
    small, _ = scored({"backend": {"name": "mahalanobis"}}, bank, domain, test)
    large, _ = scored({"backend": {"name": "mahalanobis"}}, 1024 * bank, domain, 1024 * test)
    np.testing.assert_allclose(large, small, rtol=1e-9)


SCRIPT = """
import sys, numpy as np
from test_scoring_laws import GRID, scored
from test_backends import clustered
bank, domain, test = clustered(290, 10, 24, 5)
out = {name: np.concatenate(scored(GRID[name], bank, domain, test)) for name in sys.argv[2:]}
np.savez(sys.argv[1], **out)
"""


def test_one_thread_and_two_give_the_same_bits(tmp_path):
    names = [name for name in GRID if name.split()[1] in ("none", "density_ratio", "smote", "source_means")]
    results = []
    for threads in ("1", "2"):
        file = tmp_path / f"{threads}.npz"
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        path = os.pathsep.join(path for path in sys.path if path)
        command = [sys.executable, "-c", SCRIPT, str(file), *names]
        subprocess.run(command, env=os.environ | limits | {"PYTHONPATH": path}, check=True)
        results.append(np.load(file))
    for name in names:
        np.testing.assert_array_equal(results[0][name], results[1][name], err_msg=name)


# -- scikit-learn --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_lof_is_that_of_scikit_learn(metric, data):
    neighbors = pytest.importorskip("sklearn.neighbors")
    bank, domain, test = (part.astype(np.float64) for part in data)
    theirs = neighbors.LocalOutlierFactor(5, novelty=True, metric=metric, algorithm="brute").fit(bank)
    ours, _ = scored({"backend": {"name": "lof", "k": 5, "metric": metric}}, bank, domain, test)
    np.testing.assert_allclose(ours, -theirs.score_samples(test), rtol=1e-6)


def test_mahalanobis_is_that_of_scikit_learn(data):
    covariance = pytest.importorskip("sklearn.covariance")
    bank, domain, test = (part.astype(np.float64) for part in data)
    theirs = covariance.LedoitWolf().fit(bank)
    ours, _ = scored({"backend": {"name": "mahalanobis"}}, bank, domain, test)
    np.testing.assert_allclose(ours, theirs.mahalanobis(test), rtol=1e-8)


@pytest.mark.parametrize("variance", [0.5, 0.9, 0.99])
def test_pca_residual_is_that_of_scikit_learn(variance, data):
    decomposition = pytest.importorskip("sklearn.decomposition")
    bank, domain, test = (part.astype(np.float64) for part in data)
    theirs = decomposition.PCA(variance, svd_solver="full").fit(bank)
    rest = test - theirs.inverse_transform(theirs.transform(test))
    ours, _ = scored({"backend": {"name": "pca_residual", "variance": variance}}, bank, domain, test)
    np.testing.assert_allclose(ours, np.square(rest).sum(axis=1), rtol=1e-8)


def test_gmm_of_one_component_is_that_of_scikit_learn_and_so_is_each_self_score(data):
    mixture = pytest.importorskip("sklearn.mixture")
    bank, domain, test = (part.astype(np.float64) for part in data)

    def theirs(rows, clips):
        model = mixture.GaussianMixture(1, covariance_type="diag", reg_covar=1e-4).fit(rows)
        return -model.score_samples(clips)

    ours, own = scored({"backend": {"name": "gmm", "components": 1}}, bank, domain, test)
    np.testing.assert_allclose(ours, theirs(bank, test), rtol=1e-9)
    for clip in (0, 20, len(bank) - 1):
        rest = np.delete(bank, clip, axis=0)
        np.testing.assert_allclose(own[clip], theirs(rest, bank[[clip]])[0], rtol=1e-9)


def test_gmm_of_separate_clusters_is_that_of_scikit_learn():
    mixture = pytest.importorskip("sklearn.mixture")
    draw = np.random.default_rng(2)
    bank = np.concatenate([draw.normal(size=(60, 8)), draw.normal(size=(50, 8)) * 0.5 + 3])
    test = draw.normal(size=(20, 8)) + 1.5
    theirs = mixture.GaussianMixture(2, covariance_type="diag", reg_covar=1e-4, tol=1e-10, max_iter=500)
    theirs.set_params(random_state=0).fit(bank)
    spec = {"backend": {"name": "gmm", "tolerance": 1e-10, "iterations": 500}}
    ours, own = scored(spec, bank, None, test)
    np.testing.assert_allclose(ours, -theirs.score_samples(test), rtol=1e-6)
    assert (own > -theirs.score_samples(bank)).all()  # a clip left out is less likely than one fitted to


# -- leave-one-out of the larger machinery -------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [{"variance": 0.95}, {"variance": 0.5}, {"rank": 1}, {"rank": 70}])
@pytest.mark.parametrize("repeated", [False, True], ids=["distinct", "with copies"])
def test_pca_self_scores_are_residuals_from_the_axes_of_the_others(parameters, repeated):
    bank, _, _ = clustered(130, 10, 90, 4)
    if repeated:
        bank = np.concatenate([bank, bank[:3]])
    own = build.detector({"backend": {"name": "pca_residual", **parameters}}).fit(bank).self_scores()
    for clip in range(0, len(bank), 9):
        rest = np.delete(bank, clip, axis=0)
        mean = rest.mean(axis=0)
        _, size, axes = np.linalg.svd(rest - mean, full_matrices=False)
        share = np.cumsum(size**2) / (size**2).sum()
        kept = parameters.get("rank") or int(np.searchsorted(share, parameters["variance"])) + 1
        away = bank[clip] - mean
        expected = np.square(away - axes[:kept].T @ (axes[:kept] @ away)).sum()
        np.testing.assert_allclose(own[clip], expected, rtol=1e-8, err_msg=f"clip {clip}")


# -- banks beyond memory -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["knn", "domain_knn", "beam"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_bank_searched_by_tiles_gives_the_scores_of_the_whole_matrix(name, metric, data, monkeypatch):
    bank, domain, test = data
    spec = {"backend": entry(name) | {"metric": metric}}
    if name == "knn":
        spec["backend"]["k"] = 3
    whole = scored(spec, bank, domain, test)
    monkeypatch.setattr("asdflow.references.references.WHOLE", 0)
    monkeypatch.setattr(distances.nearest_by_tiles, "__kwdefaults__", {"rows": 7, "columns": 9})
    for tiled, expected in zip(scored(spec, bank, domain, test), whole, strict=True):
        np.testing.assert_allclose(tiled, expected, rtol=1e-9)
