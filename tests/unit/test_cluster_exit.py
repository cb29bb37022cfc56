"""Neighbourhoods end at jumps above the percentile of the jumps of all references."""

import itertools

import numpy as np
import pytest

from asdflow.normalizations.cluster_exit import UpToJump, jumps
from asdflow.pipeline import build
from asdflow.references.bank import Bank


def test_no_neighbourhood_ends_at_the_first_other_clip_where_most_jump_from_a_copy():
    distance = np.array([[[0.0, 1.0, 2.0], [0.0, 3.0, 3.0], [0.0, 1.0, 1.0]]])
    threshold = np.percentile(jumps(distance), 90.0, axis=(1, 2))
    assert np.isfinite(threshold).all()
    np.testing.assert_allclose(UpToJump(threshold).full(distance), distance.mean(axis=-1))


def test_a_jump_from_a_copy_ends_a_neighbourhood_where_few_have_copies():
    ascending = np.array([[[0.0, 0.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]]])
    np.testing.assert_allclose(UpToJump(np.array([2.5])).full(ascending), [[0.0, 2.5]])


def test_neighbours_that_are_not_there_are_no_jump():
    ascending = np.array([[[1.0, 2.0, np.inf], [1.0, 5.0, np.inf]]])
    np.testing.assert_allclose(UpToJump(np.array([3.0])).full(ascending), [[1.5, 1.0]])


@pytest.mark.parametrize("length", [5, 6], ids=["all that there are", "one more than needed"])
def test_dropped_is_the_mean_of_each_list_without_one_entry(length):
    draw = np.random.default_rng(length)
    lists = np.sort(draw.uniform(0.2, 3.0, size=(2, 7, length)), axis=-1)
    threshold = np.array([1.3, 1.8])
    found = UpToJump(threshold).dropped(lists, 5)
    for band, row, place in np.ndindex(found.shape):
        near = np.delete(lists[band, row], place)[:5]
        kept = [near[0]]
        for a, b in itertools.pairwise(near):
            if b / a > threshold[band]:
                break
            kept.append(b)
        assert found[band, row, place] == pytest.approx(np.mean(kept), rel=1e-12)


@pytest.mark.parametrize("size", [6, 7, 12])
def test_self_scores_where_a_list_holds_all_references_or_one_less(size):
    k, percentile = 5, 60.0
    points = np.random.default_rng(size).normal(size=(size, 9))
    distance = np.sqrt(np.square(points[:, None] - points).sum(axis=-1))
    lists = [np.sort(np.delete(row, clip))[:k] for clip, row in enumerate(distance)]
    threshold = np.percentile(np.concatenate([near[1:] / near[:-1] for near in lists]), percentile)
    expected = []
    for clip in range(size):
        others = np.delete(np.arange(size), clip)
        scores = []
        for one in others:
            near = np.sort(distance[one, others[others != one]])[:k]
            ends = np.flatnonzero(near[1:] / near[:-1] > threshold)
            scores.append(distance[clip, one] / near[: ends[0] + 1 if len(ends) else k].mean())
        expected.append(min(scores))
    spec = {
        "backend": {"name": "knn", "metric": "euclidean"},
        "normalization": {"name": "cluster_exit", "k": k, "percentile": percentile},
    }
    found = build.detector(spec).fit(Bank(points)).self_scores()
    np.testing.assert_allclose(found, expected, rtol=1e-9)
