"""What is computed of mixtures without making them: nearest mixtures, scatter, distances between."""

from dataclasses import replace

import numpy as np
import pytest
import scoring_truth as truth
from test_backends import clustered

from asdflow.covariance.axes import principal_axes
from asdflow.geometry.distances import pairwise
from asdflow.geometry.space import Space
from asdflow.normalizations import REGISTRY
from asdflow.pipeline import build
from asdflow.references import search
from asdflow.references.bank import Bank, Queries
from asdflow.references.recipes import NOBODY
from asdflow.references.references import References

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


def clips(data, metric, bands):
    """References that are the clips of the bank."""
    bank, domain, _ = data
    return References(Bank(bank, domain), Space(metric, bands))


def mixed(data, recipe, metric, bands):
    """Mixed references of the bank, and the clips to be scored."""
    references = clips(data, metric, bands)
    for entry in (RECIPES | OTHERS)[recipe]:
        references = REGISTRY.build(entry).change(references)
    return references, Queries(data[2], references.bank)


def all_distances(references, clips):
    """(bands, clips, R) distances, without search."""
    return references.left_out() if clips is references.bank else references.to(clips)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 4])
def test_the_nearest_mixtures_are_the_smallest_of_all_distances(recipe, metric, bands, k, data):
    references, queries = mixed(data, recipe, metric, bands)
    for asked in (queries, references.bank):
        everything, found = all_distances(references, asked), references.nearest(asked, k)
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
    scaled = REGISTRY.build(CHANGES[change]).change(references)
    assert scaled.references is references
    for asked in (queries, references.bank):
        everything, found = changed_distances(scaled, asked), scaled.nearest(asked, k)
        for domain in (0, 1):
            expected = np.sort(everything[..., references.domain == domain], axis=-1)[..., :k]
            np.testing.assert_allclose(found[domain], expected, rtol=1e-10, atol=1e-13)


def changed_distances(scaled, clips):
    """(bands, clips, R) distances that densities have changed, without search."""

    def changed(distances, density):
        density = np.maximum(density, 1e-12) if scaled.rule.duplicates == "guard" else density
        return distances / density if scaled.rule.divides else distances - density

    plain = all_distances(scaled.references, clips)
    result = changed(plain, scaled.density.full[:, None])
    if clips is scaled.bank and scaled.rule.self_density == "held_out":
        for band, one in enumerate(scaled.density.changes):
            at = band, one.clip, one.reference
            result[at] = np.where(np.isnan(one.density), np.inf, changed(plain[at], one.density))
    return result


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("count", [1, 3, 6])
def test_the_nearest_other_mixtures_are_those_of_all_distances(recipe, metric, count, data):
    references, _ = mixed(data, recipe, metric, 3)
    among, own = references.among(), np.arange(references.size)
    found = references.neighbours(count)
    np.testing.assert_allclose(
        np.take_along_axis(among, found.index, axis=-1), found.distance, rtol=1e-9, atol=1e-12
    )
    assert not (found.index == own[:, None]).any()
    among[:, own, own] = np.inf
    expected = np.sort(among, axis=-1)[..., :count]
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
    monkeypatch.setattr(search, "_search", counted)
    references.nearest(queries, 1)
    clips, mixtures = len(bank), references.size - len(bank)
    assert clips < seen / len(test) < clips + 0.6 * mixtures


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_part_of_left_out_means_is_that_of_all(metric, data):
    references, _ = mixed(data, "source_means", metric, 1)
    everything = references.left_out()
    rows = np.array([0, 2, references.size - 5, references.size - 1])
    part = references.take(rows)
    np.testing.assert_array_equal(part.left_out(), everything[:, :, rows])
    np.testing.assert_array_equal(part.left_out(slice(3, 9)), everything[:, 3:9][:, :, rows])
    # A copy that stands for both is not taken away by one of them.
    clip = part.owners.max()
    alone = np.where(part.owners == clip, NOBODY, part.owners)
    released = part.remade(replace(part.recipe, owners=alone))
    assert np.isinf(part.left_out()[0, clip]).any()
    np.testing.assert_array_equal(
        released.left_out()[0, clip][part.owners[:, 0] == clip],
        references.to(references.bank)[0, clip, rows][part.owners[:, 0] == clip],
    )


@pytest.mark.parametrize("count", [2, 5])
def test_neighbours_of_a_part_are_the_nearest_of_that_part(count, data):
    target = np.flatnonzero(data[1] == 1)
    found = clips(data, "euclidean", 1).take(target).neighbours(count)
    distances = pairwise(data[0][target], None, "euclidean")
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_allclose(found.distance[0], np.sort(distances, axis=1)[:, :count], rtol=1e-9)
    assert (found.index != np.arange(len(target))[:, None]).all()


@pytest.mark.parametrize("batch", [1, 2**9])
def test_batches_of_clips_change_no_bit_of_the_nearest(batch, data, monkeypatch):
    def nearest():
        references, _ = mixed(data, "memmixup", "cosine", 3)
        return references.nearest(references.bank, 2)

    whole = nearest()
    monkeypatch.setattr(search, "IN_CACHE", batch)
    parts = nearest()
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
    found = references.among()[0]
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)
    assert (np.diag(found) == 0).all()
    rows = np.array([2, 45, len(found) - 1])
    np.testing.assert_allclose(references.among(rows)[0], found[rows], rtol=1e-12, atol=1e-15)


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
