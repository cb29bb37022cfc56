"""The threshold of cluster exits with each reference left out is the percentile of the jumps that remain."""

import numpy as np
import pytest

from asdflow.normalizations.cluster_exit import Jumps, jumps, jumps_entered, mean_to_jump
from asdflow.pipeline import build
from asdflow.references.bank import Bank


def lists(size: int, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(size, length) neighbours of each reference and their distances; one is in nearly every list."""
    draw = np.random.default_rng(seed)
    points = draw.normal(size=(size, 30)) * draw.uniform(0.2, 3.0, size)[:, None]
    points[3] *= 0.01
    distances = np.sqrt(np.square(points[:, None] - points).sum(axis=-1))
    np.fill_diagonal(distances, np.inf)
    index = np.argsort(distances, axis=1)[:, :length]
    return index, np.take_along_axis(distances, index, axis=1)


CASES = {
    "a hub": lambda distance: distance,
    "copies": lambda distance: np.where(np.arange(len(distance))[:, None] % 7 == 0, 0.0, distance),
    "infinite jumps": lambda distance: np.where(np.arange(distance.shape[1]) < 2, 0.0, distance),
    "ties": lambda distance: np.round(distance),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("percentile", [0.0, 37.5, 95.0, 100.0])
def test_the_percentile_without_each_reference_is_that_of_the_jumps_that_remain(case, percentile):
    k, size = 4, 60
    index, distance = lists(size, k + 1, 1)
    distance = CASES[case](distance)
    every = Jumps.of(jumps(distance[:, :k]))
    row, place = np.nonzero(index[:, :k] >= 0)
    gone = index[row, place]
    assert np.bincount(gone).max() > size // 2
    entered = jumps_entered(distance, row, place)
    found = every.percentile_without(percentile, gone, row, place, entered)
    for reference in range(size):
        left = []
        for one in np.delete(np.arange(size), reference):
            near = distance[one][index[one] != reference][:k]
            with np.errstate(divide="ignore", invalid="ignore"):
                left.append(np.where(near[1:] == near[:-1], 1.0, near[1:] / near[:-1]))
        left = np.sort(np.concatenate(left))
        position = (len(left) - 1) * percentile / 100
        low, high = left[int(position)], left[min(int(position) + 1, len(left) - 1)]
        expected = low if low == high or position == int(position) else low + (high - low) * (position % 1)
        assert found[reference] == pytest.approx(expected, rel=1e-12)


def test_between_two_infinite_jumps_the_threshold_is_infinite_and_ends_nothing():
    distance = np.array([[0.0, 1.0, 2.0], [0.0, 3.0, 3.0], [0.0, 1.0, 1.0]])
    every = Jumps.of(jumps(distance))
    assert every.percentile(90.0) == np.inf
    np.testing.assert_allclose(mean_to_jump(distance, every.percentile(90.0)), distance.mean(axis=1))


@pytest.mark.parametrize("size", [6, 7, 12])
def test_self_scores_where_a_list_holds_all_references_or_one_less(size):
    k, percentile = 5, 60.0
    points = np.random.default_rng(size).normal(size=(size, 9))
    distance = np.sqrt(np.square(points[:, None] - points).sum(axis=-1))
    expected = []
    for clip in range(size):
        others = np.delete(np.arange(size), clip)
        lists = [np.sort(distance[one, others[others != one]])[:k] for one in others]
        threshold = np.percentile(np.concatenate([near[1:] / near[:-1] for near in lists]), percentile)
        scores = []
        for one, near in zip(others, lists, strict=True):
            ends = np.flatnonzero(near[1:] / near[:-1] > threshold)
            scores.append(distance[clip, one] / near[: ends[0] + 1 if len(ends) else k].mean())
        expected.append(min(scores))
    spec = {
        "backend": {"name": "knn", "metric": "euclidean"},
        "normalization": {"name": "cluster_exit", "k": k, "percentile": percentile},
    }
    found = build.detector(spec).fit(Bank(points)).self_scores()
    np.testing.assert_allclose(found, expected, rtol=1e-9)
