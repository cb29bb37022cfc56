"""Normalizations against their formulas in plain loops, and what each promises."""

from __future__ import annotations

import numpy as np
import pytest
import scoring_truth as truth

from asdflow.foundation.errors import ConfigError, DataError
from asdflow.geometry.space import Space
from asdflow.normalizations.memmixup import MemMixup
from asdflow.normalizations.smote import SMOTE
from asdflow.normalizations.source_means import SourceMeans
from asdflow.pipeline import build
from asdflow.references.bank import Bank, Queries
from asdflow.references.references import References

METRICS = ("cosine", "euclidean")


def clustered(source, target, dimensions, seed):
    """Two anisotropic source clusters and a shifted target; bank, domain, test."""
    draw = np.random.default_rng(seed)
    mix = draw.normal(size=(dimensions, dimensions)) * np.exp(-np.arange(dimensions) / (dimensions / 5))
    bank = draw.normal(size=(source + target, dimensions)) @ mix + 4.0
    bank[: source // 2] += 3 * draw.normal(size=dimensions)
    bank[source:] += 2 * draw.normal(size=dimensions)
    test = draw.normal(size=(7, dimensions)) @ mix * 1.3 + 4.0
    return bank, np.repeat([0, 1], [source, target]), test


@pytest.fixture(scope="module", params=["more clips than dimensions", "more dimensions than clips"])
def data(request):
    """(bank, domain, test) of either shape."""
    return clustered(40, 6, 12, 1) if request.param.startswith("more clips") else clustered(26, 5, 48, 2)


def fit(backend, normalization, bank, domain=None):
    """Fitted detector."""
    return build.detector({"backend": backend, "normalization": normalization}).fit(bank, domain)


# -- on the reference side -----------------------------------------------------------------------------------

DENSITIES = {
    "ratio k": (
        {"name": "density_ratio", "k": 3},
        lambda y, g, m: truth.density(y, m, k=3),
        "ratio",
    ),
    "ratio r": (
        {"name": "density_ratio", "r": 0.7},
        lambda y, g, m: truth.density(y, m, r=0.7),
        "ratio",
    ),
    "ratio r 0": ({"name": "density_ratio", "r": 0}, lambda y, g, m: truth.density(y, m, k=1), "ratio"),
    "ratio r 1": ({"name": "density_ratio", "r": 1}, lambda y, g, m: truth.density(y, m, r=1.0), "ratio"),
    "ratio": ({"name": "density_ratio"}, lambda y, g, m: truth.density(y, m, k=1), "ratio"),
    "difference k": (
        {"name": "density_difference", "k": 4},
        lambda y, g, m: truth.density(y, m, k=4),
        "difference",
    ),
    "difference r": (
        {"name": "density_difference", "r": 0.4},
        lambda y, g, m: truth.density(y, m, r=0.4),
        "difference",
    ),
    "domain": (
        {"name": "domain_density", "k_source": 5, "k_target": 2},
        lambda y, g, m: truth.domain_density(y, g, m, 5, 2),
        "ratio",
    ),
    "domain difference": (
        {"name": "domain_density", "k_source": 2, "k_target": 1, "form": "difference"},
        lambda y, g, m: truth.domain_density(y, g, m, 2, 1),
        "difference",
    ),
    "exit": (
        {"name": "cluster_exit", "k": 6, "percentile": 80.0},
        lambda y, g, m, whole=None: truth.cluster_exit(y, m, 6, 80.0, whole),
        "ratio",
    ),
    "exit difference": (
        {"name": "cluster_exit", "k": 4, "percentile": 55.5, "form": "difference"},
        lambda y, g, m, whole=None: truth.cluster_exit(y, m, 4, 55.5, whole),
        "difference",
    ),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", DENSITIES)
def test_changed_distances_are_those_of_the_formula(name, metric, data):
    bank, domain, test = data
    spec, rho, form = DENSITIES[name]
    expected = [truth.knn(x, bank, metric, 2, rho(bank, domain, metric), form) for x in test]
    scores = fit({"name": "knn", "k": 2, "metric": metric}, spec, bank, domain).score_samples(test)
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", DENSITIES)
def test_held_out_self_scores_are_those_of_the_formula_without_the_clip(name, metric, data):
    bank, domain, _ = data
    spec, rho, form = DENSITIES[name]
    own = fit({"name": "knn", "metric": metric}, spec, bank, domain).self_scores()
    for clip in (0, 11, len(bank) - 3, len(bank) - 1):
        rest = np.arange(len(bank)) != clip
        known = {"whole": bank} if name.startswith("exit") else {}  # its threshold is that of all clips
        density = rho(bank[rest], domain[rest], metric, **known)
        expected = truth.knn(bank[clip], bank[rest], metric, 1, density, form)
        np.testing.assert_allclose(own[clip], expected, rtol=1e-8, err_msg=f"clip {clip}")


@pytest.mark.parametrize("name", DENSITIES)
def test_full_self_scores_keep_the_clip_in_the_densities(name, data):
    bank, domain, _ = data
    spec, rho, form = DENSITIES[name]
    own = fit({"name": "knn"}, spec | {"self_density": "full"}, bank, domain).self_scores()
    density = np.array(rho(bank, domain, "cosine"))
    for clip in (0, len(bank) - 1):
        rest = np.arange(len(bank)) != clip
        expected = truth.knn(bank[clip], bank[rest], "cosine", 1, density[rest], form)
        np.testing.assert_allclose(own[clip], expected, rtol=1e-9)


def test_with_full_densities_no_self_ratio_of_k_1_is_below_1_and_held_out_ones_are(data):
    bank, _domain, _ = data
    full, held_out = (
        fit({"name": "knn"}, {"name": "density_ratio", "k": 1, "self_density": kind}, bank).self_scores()
        for kind in ("full", "held_out")
    )
    assert full.min() >= 1
    assert held_out.min() < 1


def test_densities_act_band_by_band(data):
    bank, _domain, test = data
    scores = fit({"name": "beam", "bands": 2}, {"name": "density_ratio", "k": 2}, bank).score_samples(test)
    middle = bank.shape[1] // 2
    expected = [
        np.mean(
            [
                truth.knn(x[part], bank[:, part], "cosine", 1, truth.density(bank[:, part], "cosine", k=2))
                for part in (slice(0, middle), slice(middle, None))
            ]
        )
        for x in test
    ]
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


@pytest.mark.parametrize("backend", [{"name": "knn"}, {"name": "beam", "bands": 2}, {"name": "domain_knn"}])
@pytest.mark.parametrize(
    "spec",
    [
        {"name": "density_ratio", "k": 1},
        {"name": "density_difference", "k": 3},
        {"name": "cluster_exit", "k": 4, "percentile": 80.0},
        {"name": "domain_density", "k_source": 3, "k_target": 2},
    ],
)
def test_repeating_bank_clips_changes_no_density_normalized_score(spec, backend, data):
    bank, domain, test = data
    again = np.concatenate([np.arange(len(bank)), [3, 3, 7, len(bank) - 1]])
    once, more = fit(backend, spec, bank, domain), fit(backend, spec, bank[again], domain[again])
    np.testing.assert_allclose(more.score_samples(test), once.score_samples(test), rtol=1e-9)
    alone = np.setdiff1d(np.arange(len(bank)), [3, 7, len(bank) - 1])
    np.testing.assert_allclose(more.self_scores()[alone], once.self_scores()[alone], rtol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_a_copy_of_a_bank_clip_has_ratio_0_even_where_the_bank_holds_it_twice(metric, data):
    bank, _, _ = data
    bank = np.concatenate([bank, bank[:2]])
    detector = fit({"name": "knn", "metric": metric}, {"name": "density_ratio", "k": 1}, bank)
    np.testing.assert_array_equal(detector.score_samples(bank[[0, 1, 5]]), 0.0)
    own = detector.self_scores()
    np.testing.assert_array_equal(own[[0, 1, -2, -1]], 0.0)
    assert np.isfinite(own).all() and (own[2:-2] > 0).all()


def test_guarded_copies_count_and_keep_scores_finite(data):
    bank, _, test = data
    bank = np.concatenate([bank, bank[:1]])
    spec = {"name": "density_ratio", "k": 2, "duplicates": "guard"}
    scores = fit({"name": "knn", "metric": "euclidean"}, spec, bank).score_samples(test)
    rho = np.maximum(truth.density(bank, "euclidean", k=2), 1e-12)
    expected = [truth.knn(x, bank, "euclidean", 1, rho) for x in test]
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


def test_the_ratio_does_not_change_when_embeddings_are_scaled(data):
    bank, _, test = data
    spec = {"name": "density_ratio", "k": 3}
    plain, scaled = (
        fit({"name": "knn", "metric": "euclidean"}, spec, factor * bank).score_samples(factor * test)
        for factor in (1.0, 1e-3)
    )
    np.testing.assert_allclose(scaled, plain, rtol=1e-12)


# -- on the bank ---------------------------------------------------------------------------------------------


def space(bank, metric):
    """The vectors that are mixed: for the cosine of unit length."""
    return bank / np.linalg.norm(bank, axis=1, keepdims=True) if metric == "cosine" else bank


def mixed(member, bank, domain, metric):
    """References of a bank normalization, their vectors by the recipe, and who is part of each."""
    changed = member.change(References(Bank(bank, domain), Space(metric)))
    weight = changed.recipe.matrix(len(bank))
    return changed, weight @ space(bank, metric), weight


BANKS = {"memmixup": MemMixup(0.8, 4), "smote": SMOTE(3, 0.9), "source_means": SourceMeans(5)}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("member", BANKS.values(), ids=BANKS.keys())
def test_distances_to_mixtures_are_those_to_their_vectors(member, metric, data):
    bank, domain, test = data
    changed, vectors, _ = mixed(member, bank, domain, metric)
    queries = Queries(test, changed.bank)
    np.testing.assert_allclose(changed.to(queries)[0], truth.distances(test, vectors, metric), rtol=1e-9)
    among = changed.among()[0]
    np.testing.assert_allclose(among, truth.distances(vectors, vectors, metric), rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(changed.among(slice(3, 9)), among[None, 3:9])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", ["memmixup", "smote"])
def test_self_scores_use_no_mixture_of_the_clip(name, metric, data):
    bank, domain, _ = data
    _, vectors, weight = mixed(BANKS[name], bank, domain, metric)
    spec = {"name": name} | ({"alpha": 0.8, "k": 4} if name == "memmixup" else {"k": 3, "ratio": 0.9})
    for normalization, rho in (
        ([spec], None),
        ([spec, {"name": "density_ratio", "k": 2}], lambda y: truth.density(y, metric, k=2)),
    ):
        own = fit({"name": "knn", "metric": metric}, normalization, bank, domain).self_scores()
        for clip in (0, 9, len(bank) - 2, len(bank) - 1):
            left = vectors[weight[:, clip] == 0]
            expected = truth.knn(bank[clip], left, metric, 1, rho(left) if rho else None)
            np.testing.assert_allclose(own[clip], expected, rtol=1e-8, err_msg=f"{normalization} {clip}")


def test_memmixup_mixes_each_target_clip_with_its_nearest_source_clips(data):
    bank, domain, test = data
    rows = [bank]
    for t in bank[domain == 1]:
        near = sorted(bank[domain == 0], key=lambda s, t=t: truth.distance(s, t, "euclidean"))[:4]
        rows.append(np.array([0.8 * t + 0.2 * s for s in near]))
    union = np.concatenate(rows)
    g = np.concatenate([domain, np.ones(len(union) - len(bank), dtype=int)])
    spec = {"name": "memmixup", "alpha": 0.8, "k": 4}
    scores = fit({"name": "domain_knn", "metric": "euclidean"}, spec, bank, domain).score_samples(test)
    expected = [truth.domain_knn(x, union, g, "euclidean", 1, 1) for x in test]
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


def test_smote_fills_the_target_up_with_points_between_neighbouring_target_clips(data):
    bank, domain, _ = data
    changed, _vectors, weight = mixed(SMOTE(2, 0.9), bank, domain, "euclidean")
    source = int((domain == 0).sum())
    assert (changed.domain == 1).sum() == round(0.9 * source)
    target = np.flatnonzero(domain == 1)
    starts = np.zeros(len(bank))
    for row in weight[len(bank) :]:
        parents = np.flatnonzero(row)
        assert set(parents) <= set(target) and len(parents) == 2
        assert row[parents].min() > 0 and np.isclose(row.sum(), 1)
        near = [
            sorted(
                (o for o in target if o != p),
                key=lambda o, p=p: truth.distance(bank[o], bank[p], "euclidean"),
            )[:2]
            for p in parents
        ]
        assert parents[1] in near[0] or parents[0] in near[1]
        starts[parents] += 1
    assert (starts[target] > 0).all()


def test_smote_does_not_depend_on_the_order_of_the_bank(data):
    bank, domain, test = data
    spec = {"name": "smote", "k": 2, "ratio": 0.7}
    shuffled = np.random.default_rng(3).permutation(len(bank))
    plain = fit({"name": "knn"}, spec, bank, domain)
    other = fit({"name": "knn"}, spec, bank[shuffled], domain[shuffled])
    np.testing.assert_allclose(other.score_samples(test), plain.score_samples(test), rtol=1e-12)


def test_smote_adds_nothing_where_the_target_is_large_enough(data):
    bank, domain, test = data
    same = fit({"name": "knn"}, {"name": "smote", "k": 2, "ratio": 0.05}, bank, domain).score_samples(test)
    np.testing.assert_array_equal(same, fit({"name": "knn"}, {"name": "none"}, bank).score_samples(test))


@pytest.mark.parametrize("metric", METRICS)
def test_source_means_are_means_of_clusters_that_no_clip_would_leave(metric, data):
    bank, domain, _ = data
    _changed, vectors, weight = mixed(SourceMeans(5), bank, domain, metric)
    centres, unit = vectors[:5], space(bank, metric)
    source = np.flatnonzero(domain == 0)
    labels = (weight[:5, source] > 0).argmax(axis=0)
    assert ((weight[:5, source] > 0).sum(axis=0) == 1).all()
    for label in range(5):
        np.testing.assert_allclose(centres[label], unit[source[labels == label]].mean(axis=0), rtol=1e-9)
    away = np.square(unit[source][:, None] - centres[None]).sum(axis=2)
    np.testing.assert_array_equal(away.argmin(axis=1), labels)
    np.testing.assert_allclose(vectors[5:], unit[domain == 1])


def test_a_clip_is_taken_out_of_its_source_mean(data):
    bank, domain, _ = data
    _, _, weight = mixed(SourceMeans(5), bank, domain, "euclidean")
    own = fit({"name": "knn", "metric": "euclidean"}, {"name": "source_means", "n": 5}, bank, domain)
    for clip in np.flatnonzero(domain == 0)[:8]:
        rows = weight.copy()
        rows[:, clip] = 0
        rows = rows[rows.sum(axis=1) > 0]
        rows /= rows.sum(axis=1, keepdims=True)
        expected = truth.knn(bank[clip], rows @ bank, "euclidean")
        np.testing.assert_allclose(own.self_scores()[clip], expected, rtol=1e-9)


@pytest.mark.parametrize("rescale", [True, False])
def test_cosine_source_means_without_and_with_rescaling(rescale, data):
    bank, domain, test = data
    changed, vectors, weight = mixed(SourceMeans(4, None, rescale), bank, domain, "cosine")
    scores = changed.to(Queries(test, changed.bank))[0][:, :4]
    cosine = space(test, "cosine") @ vectors[:4].T
    if rescale:
        cosine /= np.linalg.norm(vectors[:4], axis=1)
    np.testing.assert_allclose(scores, (1 - cosine) / 2, rtol=1e-9)
    own = fit(
        {"name": "knn"}, {"name": "source_means", "n": 4, "rescale": rescale}, bank, domain
    ).self_scores()
    clip = 0
    rows = weight.copy()
    rows[:, clip] = 0
    rows = rows[rows.sum(axis=1) > 0]
    rows /= rows.sum(axis=1, keepdims=True)
    left = rows @ space(bank, "cosine")
    cosine = left @ space(bank, "cosine")[clip]
    if rescale:
        cosine /= np.linalg.norm(left, axis=1)
    np.testing.assert_allclose(own[clip], ((1 - cosine) / 2).min(), rtol=1e-9)


def test_source_means_find_clusters_as_tight_as_scikit_learn_does(data):
    cluster = pytest.importorskip("sklearn.cluster")
    bank, domain, _ = data
    _, vectors, weight = mixed(SourceMeans(5), bank, domain, "euclidean")
    source = bank[domain == 0]
    ours = np.square(source - (weight[:5] > 0)[:, domain == 0].T.astype(float) @ vectors[:5]).sum()
    theirs = cluster.KMeans(5, n_init=10, random_state=0).fit(source).inertia_
    assert ours <= 1.02 * theirs


def test_target_may_be_clustered_too(data):
    bank, domain, _ = data
    changed, _, weight = mixed(SourceMeans(4, 2), bank, domain, "euclidean")
    assert changed.size == 6 and list(changed.domain) == [0, 0, 0, 0, 1, 1]
    assert (weight[4:, domain == 1].sum(axis=0) > 0).all()


def test_a_list_of_bank_normalizations_composes_in_order(data):
    bank, domain, test = data
    both = [{"name": "source_means", "n": 4}, {"name": "memmixup", "alpha": 0.7, "k": 2}]
    scores = fit({"name": "knn", "metric": "euclidean"}, both, bank, domain).score_samples(test)
    _, centres, _ = mixed(SourceMeans(4), bank, domain, "euclidean")
    rows = [centres]
    for t in bank[domain == 1]:
        near = sorted(centres[:4], key=lambda s, t=t: truth.distance(s, t, "euclidean"))[:2]
        rows.append(np.array([0.7 * t + 0.3 * s for s in near]))
    expected = [truth.knn(x, np.concatenate(rows), "euclidean") for x in test]
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


@pytest.mark.parametrize("backend", [{"name": "mahalanobis"}, {"name": "pca_residual", "variance": 0.8}])
def test_covariance_backends_see_the_interpolated_target(backend, data):
    bank, domain, test = data
    _, vectors, weight = mixed(SMOTE(3, 0.9), bank, domain, "euclidean")
    formula = (
        truth.mahalanobis if backend["name"] == "mahalanobis" else lambda x, y: truth.pca(x, y, None, 0.8)
    )
    detector = fit(backend, {"name": "smote", "k": 3, "ratio": 0.9}, bank, domain)
    np.testing.assert_allclose(detector.score_samples(test), [formula(x, vectors) for x in test], rtol=1e-7)
    own = detector.self_scores()
    for clip in (0, len(bank) - 2, len(bank) - 1):
        np.testing.assert_allclose(own[clip], formula(bank[clip], vectors[weight[:, clip] == 0]), rtol=1e-6)


def test_selective_mahalanobis_moves_to_the_mean_of_the_interpolated_target(data):
    bank, domain, test = data
    _, vectors, weight = mixed(SMOTE(3, 0.9), bank, domain, "euclidean")
    g = np.concatenate([domain, np.ones(len(vectors) - len(bank), dtype=int)])
    spec = {"name": "smote", "k": 3, "ratio": 0.9}
    detector = fit({"name": "mahalanobis", "variant": "selective"}, spec, bank, domain)
    expected = [truth.selective(x, vectors, g) for x in test]
    np.testing.assert_allclose(detector.score_samples(test), expected, rtol=1e-7)
    for clip in (0, len(bank) - 1):
        kept = weight[:, clip] == 0
        expected = truth.selective(bank[clip], vectors[kept], g[kept])
        np.testing.assert_allclose(detector.self_scores()[clip], expected, rtol=1e-6)


def test_dads_is_memmixup_with_balanced_domains_then_the_density_ratio(data):
    bank, domain, test = data
    source, target = np.bincount(domain)
    partners = round(source / target) - 1
    parts = [{"name": "memmixup", "alpha": 0.85, "k": partners}, {"name": "density_ratio", "k": 2}]
    whole = fit({"name": "knn"}, {"name": "dads", "mix": 0.85, "k": 2}, bank, domain)
    np.testing.assert_array_equal(
        whole.score_samples(test), fit({"name": "knn"}, parts, bank, domain).score_samples(test)
    )


# -- on scores -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("center,scale", [("mean", "sd"), ("median", "mad")])
def test_zscore_is_in_units_of_the_leave_one_out_self_scores(center, scale, data):
    bank, _domain, test = data
    plain = fit({"name": "mahalanobis"}, {"name": "none"}, bank)
    own = plain.self_scores()
    m = np.mean(own) if center == "mean" else np.median(own)
    d = np.std(own) if scale == "sd" else 1.482602218505602 * np.median(np.abs(own - np.median(own)))
    scored = fit({"name": "mahalanobis"}, {"name": "zscore", "center": center, "scale": scale}, bank)
    np.testing.assert_allclose(scored.score_samples(test), (plain.score_samples(test) - m) / d, rtol=1e-10)
    np.testing.assert_allclose(scored.self_scores(), (own - m) / d, rtol=1e-9, atol=1e-10)


def test_zscore_in_sample_of_nearest_neighbours_is_refused(data):
    with pytest.raises(DataError, match="do not vary"):
        fit({"name": "knn"}, {"name": "zscore", "self_scores": "in_sample"}, data[0])


def test_zscore_in_sample_uses_the_scores_of_the_bank_itself(data):
    bank, _, test = data
    plain = fit({"name": "mahalanobis"}, {"name": "none"}, bank)
    own = plain.score_samples(bank)
    scored = fit({"name": "mahalanobis"}, {"name": "zscore", "self_scores": "in_sample"}, bank)
    expected = (plain.score_samples(test) - own.mean()) / own.std()
    np.testing.assert_allclose(scored.score_samples(test), expected, rtol=1e-10)


def test_zscore_by_as_many_folds_as_clips_is_leave_one_out(data):
    bank, _, test = data
    by_folds, by_loo = (
        fit({"name": "knn", "metric": "euclidean"}, {"name": "zscore"} | how, bank).score_samples(test)
        for how in ({"self_scores": "kfold", "folds": len(bank)}, {"self_scores": "loo"})
    )
    np.testing.assert_allclose(by_folds, by_loo, rtol=1e-10)


@pytest.mark.parametrize(
    "backend",
    [
        *({"name": name, "k": 3} for name in ("knn", "lof", "csls")),
        *({"name": name} for name in ("mahalanobis", "pca_residual")),
    ],
    ids=lambda backend: backend["name"],
)
def test_zscore_by_folds_is_in_units_of_the_scores_of_each_fold_under_the_others(backend, data):
    bank, _, test = data
    spec = {"name": "zscore", "self_scores": "kfold", "folds": 4}
    fold = np.empty(len(bank), dtype=int)
    fold[Bank(bank).order] = np.arange(len(bank)) % 4
    own = np.empty(len(bank))
    for number in range(4):
        rest = fit(backend, {"name": "none"}, bank[fold != number])
        own[fold == number] = rest.score_samples(bank[fold == number])
    plain = fit(backend, {"name": "none"}, bank).score_samples(test)
    scores = fit(backend, spec, bank).score_samples(test)
    np.testing.assert_allclose(scores, (plain - own.mean()) / own.std(), rtol=1e-8)


def by_domain(x, bank, domain, metric):
    """Nearest neighbour in each domain."""
    return [truth.knn(x, bank[domain == one], metric) for one in (0, 1)]


def left_out(clip, bank, domain, metric):
    """Nearest neighbour in each domain, the clip left out."""
    rest = np.arange(len(bank)) != clip
    return by_domain(bank[clip], bank[rest], domain[rest], metric)


def test_standardisation_by_the_test_set_is_the_smaller_of_two_z_scores(data):
    bank, domain, test = data
    scores = np.array([by_domain(x, bank, domain, "euclidean") for x in test])
    expected = ((scores - scores.mean(axis=0)) / scores.std(axis=0)).min(axis=1)
    spec = {"name": "domain_standardise", "statistics": "test"}
    detector = fit({"name": "knn", "metric": "euclidean"}, spec, bank, domain)
    np.testing.assert_allclose(detector.score_samples(test), expected, rtol=1e-8)
    assert detector.transductive


@pytest.mark.parametrize("width", ["own", "target"])
def test_standardisation_by_leave_one_out_uses_scores_within_each_domain(width, data):
    bank, domain, test = data
    own = np.array([left_out(clip, bank, domain, "cosine") for clip in range(len(bank))])
    within = [own[domain == one, one] for one in (0, 1)]
    m = np.array([part.mean() for part in within])
    d = np.array([within[1 if width == "target" else one].std() for one in (0, 1)])
    scores = np.array([by_domain(x, bank, domain, "cosine") for x in test])
    detector = fit({"name": "knn"}, {"name": "domain_standardise", "width": width}, bank, domain)
    np.testing.assert_allclose(detector.score_samples(test), ((scores - m) / d).min(axis=1), rtol=1e-8)
    np.testing.assert_allclose(detector.self_scores(), ((own - m) / d).min(axis=1), rtol=1e-8, atol=1e-9)
    assert not detector.transductive


def tail(score, sample):
    """Share of the sample above a score: linear between ranks, exponential beyond both ends."""
    sample = sorted(sample)
    n, middle = len(sample), np.median(sample)
    if score > sample[-1]:
        rate = np.log((n + 1) / 2) / (sample[-1] - middle)
        return 1 / (n + 1) * np.exp(-rate * (score - sample[-1]))
    if score < sample[0]:
        rate = np.log((n + 1) / 2) / (middle - sample[0])
        return 1 - 1 / (n + 1) * np.exp(-rate * (sample[0] - score))
    return 1 - np.interp(score, sample, np.arange(1, n + 1)) / (n + 1)


@pytest.mark.parametrize("assignment", ["hard", "soft"])
@pytest.mark.parametrize("prior", [0.0, 7.0])
def test_conformal_scores_are_log_p_values_of_the_domain(assignment, prior, data):
    bank, domain, test = data
    own = np.array([left_out(clip, bank, domain, "cosine") for clip in range(len(bank))])
    samples = [own[domain == one].min(axis=1) for one in (0, 1)]
    everything = np.concatenate(samples)
    typical = np.median(np.abs(own[:, 0] - own[:, 1]))
    expected = []
    for x in test:
        apart = by_domain(x, bank, domain, "cosine")
        score, p = min(apart), 0.0
        shares = np.exp(-np.array(apart) / typical)
        shares = shares / shares.sum() if assignment == "soft" else np.array(apart) == min(apart)
        for share, sample in zip(shares, samples, strict=True):
            mapped = len(sample) * tail(score, sample) + prior * tail(score, everything)
            p += share * mapped / (len(sample) + prior)
        expected.append(-np.log(p))
    spec = {"name": "conformal", "prior": prior, "assignment": assignment}
    np.testing.assert_allclose(
        fit({"name": "knn"}, spec, bank, domain).score_samples(test), expected, rtol=1e-8
    )


def test_conformal_never_ties_what_it_was_given_apart(data):
    bank, domain, _ = data
    far = bank[-1] + np.outer(np.linspace(0.1, 1e3, 400), np.ones(bank.shape[1]))
    far[:, 0] *= -1
    detector = fit({"name": "knn", "metric": "euclidean"}, {"name": "conformal"}, bank, domain)
    assert len(np.unique(detector.score_samples(far))) == len(far)


@pytest.mark.parametrize(
    "spec,backend,reason",
    [
        ({"name": "domain_standardise"}, {"name": "pca_residual"}, "one model for both domains"),
        ({"name": "conformal"}, {"name": "lof"}, "one model for both domains"),
        ({"name": "density_ratio"}, {"name": "lof"}, "already compares with the density"),
        ({"name": "density_ratio"}, {"name": "csls"}, "already subtracts"),
        ({"name": "smote"}, {"name": "loop"}, "set by their number"),
        ({"name": "source_means"}, {"name": "mahalanobis"}, "lost the spread"),
        ({"name": "memmixup"}, {"name": "gmm"}, "outnumber the clips"),
        ({"name": "dads"}, {"name": "mahalanobis"}, "outnumber the clips"),
        ({"name": "domain_density"}, {"name": "variance_minimisation"}, "its own share"),
    ],
)
def test_a_meaningless_pair_is_refused_with_the_reason(spec, backend, reason):
    with pytest.raises(ConfigError, match=reason):
        build.detector({"backend": backend, "normalization": spec})


@pytest.mark.parametrize(
    "parts,reason",
    [
        (["zscore", "density_ratio"], "cannot follow zscore"),
        (["density_ratio", "smote"], "cannot follow density_ratio"),
        (["density_ratio", "domain_density"], "both relate a distance"),
        (["dads", "density_difference"], "both relate a distance"),
    ],
)
def test_a_list_in_a_meaningless_order_is_refused(parts, reason):
    with pytest.raises(ConfigError, match=reason):
        build.detector({"backend": {"name": "knn"}, "normalization": [{"name": name} for name in parts]})
