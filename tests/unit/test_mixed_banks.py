"""What is computed of mixtures without making them: nearest mixtures, scatter, distances between."""

import numpy as np
import pytest
import scoring_truth as truth
from test_backends import clustered

from asdflow.covariance.axes import principal_axes
from asdflow.geometry.distances import pairwise
from asdflow.normalizations import REGISTRY
from asdflow.pipeline import build
from asdflow.references import search
from asdflow.references.bank import Bank, Queries
from asdflow.references.mixtures import MixedReferences
from asdflow.references.references import NOBODY, References, Subset, of_bank

OTHERS = {
    "all of memmixup": [{"name": "memmixup"}],
    "source_means": [{"name": "source_means", "n": 5}],
}
RECIPES = {
    "memmixup": [{"name": "memmixup", "k": 20}],
    "smote": [{"name": "smote", "k": 3, "ratio": 1.0}],
    "smote, then memmixup": [{"name": "smote", "k": 3, "ratio": 0.5}, {"name": "memmixup", "k": 4}],
}


@pytest.fixture(scope="module")
def data():
    """(bank, domain, test), copies among them."""
    bank, domain, test = clustered(40, 8, 24, 5)
    bank[7] = bank[3]
    bank[41] = bank[44]
    return bank, domain, np.concatenate([test, bank[[3, 41]]])


def mixed(data, recipe, metric, bands):
    """Mixed references of the bank, and the clips to be scored."""
    bank, domain, test = data
    bank = Bank(bank, domain)
    references = References(bank)
    for entry in (RECIPES | OTHERS)[recipe]:
        references = REGISTRY.build(entry).change(references, metric, bands)
    return references, Queries(test, bank)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 4])
def test_the_nearest_mixtures_are_the_smallest_of_all_distances(recipe, metric, bands, k, data):
    references, queries = mixed(data, recipe, metric, bands)
    for clips in (queries, None):
        everything = (
            references.left_out(metric, bands) if clips is None else references.to(clips, metric, bands)
        )
        found = references.nearest(clips, metric, bands, k)
        for domain in (0, 1):
            expected = np.sort(everything[..., references.domain == domain], axis=-1)[..., :k]
            np.testing.assert_allclose(found[domain], expected, rtol=1e-12, atol=1e-15)


CHANGES = {
    "ratio": {"name": "density_ratio", "k": 2},
    "ratio, full": {"name": "density_ratio", "k": 1, "self_density": "full"},
    "ratio, guarded": {"name": "density_ratio", "k": 1, "duplicates": "guard"},
    "difference": {"name": "density_difference", "k": 1},
    "of a domain": {"name": "domain_density", "k_source": 3, "k_target": 2},
    "up to a jump": {"name": "cluster_exit", "k": 5},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("recipe", ["memmixup", "smote"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 3])
def test_the_nearest_at_changed_distances_are_the_smallest_of_all(change, recipe, metric, k, data):
    bank, domain, test = data
    bank = np.delete(bank, [7, 41], axis=0)  # copies: only a part would be searched
    references, queries = mixed((bank, np.delete(domain, [7, 41]), test), recipe, metric, 3)
    references = REGISTRY.build(CHANGES[change]).change(references, metric, 3)
    assert isinstance(references.inner, MixedReferences)
    for clips in (queries, None):
        everything = references.left_out(metric, 3) if clips is None else references.to(clips, metric, 3)
        found = references.nearest(clips, metric, 3, k)
        for domain in (0, 1):
            expected = np.sort(everything[..., references.domain == domain], axis=-1)[..., :k]
            np.testing.assert_allclose(found[domain], expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("count", [1, 3, 6])
def test_the_nearest_other_mixtures_are_those_of_all_distances(recipe, metric, count, data):
    references, _ = mixed(data, recipe, metric, 3)
    between = references.between(metric, 3)
    own = np.arange(references.size)
    found = references.neighbours(metric, 3, count)
    np.testing.assert_allclose(
        np.take_along_axis(between, found.index, axis=-1), found.distance, rtol=1e-9, atol=1e-12
    )
    assert not (found.index == own[:, None]).any()
    between[:, own, own] = np.inf
    expected = np.sort(between, axis=-1)[..., :count]
    np.testing.assert_allclose(found.distance, expected, rtol=1e-9, atol=1e-12)
    copies = expected[..., 0] == 0
    assert copies.any() and (found.distance[..., 0][copies] == 0).all()


def test_most_mixtures_are_left_out_by_their_bound(monkeypatch):
    seen = 0
    original = search._search

    def counted(*arguments):
        nonlocal seen
        seen += original(*arguments)

    bank, domain, test = clustered(200, 8, 24, 5)
    references, queries = mixed((bank, domain, test), "all of memmixup", "cosine", 1)
    of_bank(references.bank).nearest(queries, "cosine", 1, 1)  # the bound is made of it
    monkeypatch.setattr(search, "_search", counted)
    monkeypatch.setattr("asdflow.geometry.compiled.FEW", -1)  # the loop, not its array operations
    references.nearest(queries, "cosine", 1, 1)
    clips, mixtures = len(bank), references.size - len(bank)
    assert clips < seen / len(test) < clips + 0.6 * mixtures


@pytest.mark.parametrize("which", ["plain", *RECIPES, "source_means"])
def test_sums_of_squares_are_those_of_the_matrix(which, data):
    bank, domain, _ = data
    references = References(Bank(bank, domain))
    if which != "plain":
        references, _ = mixed(data, which, "euclidean", 1)
    draw = np.random.default_rng(2)
    rows = draw.permutation(references.size)[:12]
    weights = draw.normal(size=(12, 3))
    expected = np.square(references.between("euclidean", 1)[0])[:, rows] @ weights
    found = references.sums_of_squares("euclidean", rows, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_part_of_left_out_means_is_that_of_all(metric, data):
    references, _ = mixed(data, "source_means", metric, 1)
    everything = references.left_out(metric, 1)
    rows = np.array([0, 2, references.size - 5, references.size - 1])
    part = references.subset(rows)
    np.testing.assert_array_equal(part.left_out(metric, 1), everything[:, :, rows])
    np.testing.assert_array_equal(part.left_out(metric, 1, slice(3, 9)), everything[:, 3:9][:, :, rows])
    # A copy that stands for both is not taken away by one of them.
    released = Subset(references, rows, np.where(part.owners == part.owners.max(), NOBODY, part.owners))
    clip = part.owners.max()
    assert np.isinf(part.left_out(metric, 1)[0, clip]).any()
    np.testing.assert_array_equal(
        released.left_out(metric, 1)[0, clip][part.owners[:, 0] == clip],
        references.from_bank(metric, 1)[0, clip, rows][part.owners[:, 0] == clip],
    )


@pytest.mark.parametrize("count", [2, 5])
def test_neighbours_of_a_part_come_out_of_the_lists_of_all(count, data):
    bank, domain, _ = data
    target = np.flatnonzero(domain == 1)  # few lists hold five of them
    fresh = References(Bank(bank, domain)).subset(target).neighbours("euclidean", 1, count)
    known = References(Bank(bank, domain))
    known.neighbours("euclidean", 1, 9)
    found = known.subset(target).neighbours("euclidean", 1, count)
    np.testing.assert_array_equal(found.distance, fresh.distance)
    assert (found.index != np.arange(len(target))[:, None]).all()


@pytest.mark.parametrize("batch", [1, 2**9])
def test_batches_of_clips_change_no_bit_of_the_nearest(batch, data, monkeypatch):
    whole = mixed(data, "memmixup", "cosine", 3)[0].nearest(None, "cosine", 3, 2)
    monkeypatch.setattr(search, "BATCH", batch)
    parts = mixed(data, "memmixup", "cosine", 3)[0].nearest(None, "cosine", 3, 2)
    for domain, values in whole.items():
        np.testing.assert_array_equal(parts[domain], values)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_distances_between_mixtures_are_those_of_their_vectors(recipe, metric, data):
    references, _ = mixed(data, recipe, metric, 1)
    vectors = data[0]
    if metric == "cosine":  # unit vectors are mixed
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = references.recipe.matrix(len(vectors)) @ vectors
    expected = pairwise(vectors, None, metric)
    found = references.between(metric, 1)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)
    assert (np.diag(found) == 0).all()
    rows = np.array([2, 45, len(found) - 1])
    np.testing.assert_allclose(references.between(metric, 1, rows)[0], found[rows], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("dimensions", [24, 120], ids=["N > D", "D > N"])
def test_principal_axes_of_mixtures_are_those_of_their_vectors(recipe, dimensions):
    references, _ = mixed(clustered(40, 8, dimensions, 6), recipe, "euclidean", 1)
    axes = principal_axes(references)
    centred = references.vectors - references.vectors.mean(axis=0)
    expected = np.linalg.svd(centred, compute_uv=False) ** 2
    np.testing.assert_allclose(
        axes.scatter, expected[: len(axes.scatter)], rtol=1e-8, atol=1e-9 * expected[0]
    )
    np.testing.assert_allclose(
        axes.coordinates @ axes.coordinates.T, centred @ centred.T, rtol=1e-8, atol=1e-8 * expected[0]
    )


def one_gaussian(x, y):
    """Negative log-likelihood, the variances with 1e-4 added."""
    variance = y.var(axis=0) + 1e-4
    squares = np.square(x - y.mean(axis=0)) / variance
    return 0.5 * (squares + np.log(2 * np.pi * variance)).sum()


MODELS = {
    "mahalanobis": ({}, truth.mahalanobis),
    "pca_residual": ({"variance": 0.9}, lambda x, y: truth.pca(x, y, variance=0.9)),
    "pca_residual rank": ({"rank": 3}, lambda x, y: truth.pca(x, y, rank=3)),
    "gmm": ({"components": 1}, one_gaussian),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("dimensions", [24, 120], ids=["N > D", "D > N"])
def test_self_scores_of_a_filled_up_bank_are_those_of_the_vectors_that_are_not_made_of_the_clip(
    model, dimensions
):
    bank, domain, test = clustered(40, 8, dimensions, 6)
    references, _ = mixed((bank, domain, test), "smote", "euclidean", 1)
    weight, vectors = references.recipe.matrix(len(bank)), references.vectors
    parameters, formula = MODELS[model]
    spec = {"backend": {"name": model.split()[0], **parameters}, "normalization": RECIPES["smote"]}
    detector = build.detector(spec).fit(bank, domain)
    expected = [formula(x, vectors) for x in test]
    np.testing.assert_allclose(detector.score_samples(test), expected, rtol=1e-8)
    own = detector.self_scores()
    for clip in (0, 39, *range(40, 48)):
        expected = formula(bank[clip], vectors[weight[:, clip] == 0])
        np.testing.assert_allclose(own[clip], expected, rtol=1e-7, err_msg=f"clip {clip}")


@pytest.mark.parametrize("dimensions", [24, 120], ids=["N > D", "D > N"])
def test_selective_self_scores_of_a_filled_up_bank_have_the_mean_of_the_remaining_target(dimensions):
    bank, domain, test = clustered(40, 8, dimensions, 6)
    references, _ = mixed((bank, domain, test), "smote", "euclidean", 1)
    weight, vectors = references.recipe.matrix(len(bank)), references.vectors
    spec = {"backend": {"name": "mahalanobis", "variant": "selective"}, "normalization": RECIPES["smote"]}
    own = build.detector(spec).fit(bank, domain).self_scores()
    for clip in (0, 39, 40, 44, 47):
        left = weight[:, clip] == 0
        expected = truth.selective(bank[clip], vectors[left], references.domain[left])
        np.testing.assert_allclose(own[clip], expected, rtol=1e-7, err_msg=f"clip {clip}")
