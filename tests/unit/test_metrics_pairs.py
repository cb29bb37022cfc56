"""Paired differences between systems."""

import numpy as np
import pytest

from asdflow.foundation.errors import ConfigError
from asdflow.metrics import compare, evaluate, official, paired


@pytest.fixture
def trial():
    """Labels of one machine and a score that separates them in part."""
    rng = np.random.default_rng(4)
    anomaly, domain = np.tile([0, 1], 100), np.repeat([0, 1], 100)
    label = {"anomaly": anomaly, "domain": domain, "machine": "fan"}
    return rng.normal(size=200) + anomaly, label


def test_a_system_does_not_differ_from_itself(trial):
    score, label = trial
    found = paired(score, np.exp(score), **label)
    assert (found.value, found.low, found.high, found.share, found.p_value) == (0.0, 0.0, 0.0, 0.5, 1.0)


def test_the_difference_is_that_of_the_official_scores(trial):
    score, label = trial
    other = score + np.random.default_rng(1).normal(size=200)
    found = paired(score, other, **label)
    assert found.value == pytest.approx(official(score, **label).overall - official(other, **label).overall)
    assert found.low < found.value < found.high


def test_what_moves_both_systems_cancels(trial):
    """Two nearly equal systems are told apart far better than their own intervals suggest."""
    score, label = trial
    near = score + 0.05 * np.random.default_rng(1).normal(size=200)
    difference = paired(score, near, **label)
    table = evaluate({"a": score}, **label)
    place = [
        m == "all" and n == "official" for m, n in zip(table["machine"], table["metric"], strict=True)
    ].index(True)
    assert difference.high - difference.low < 0.3 * (table["high"][place] - table["low"][place])


def test_swapping_the_systems_mirrors_the_difference(trial):
    score, label = trial
    other = score + np.random.default_rng(1).normal(size=200)
    one, two = paired(score, other, **label), paired(other, score, **label)
    assert (one.value, one.low, one.high) == (-two.value, pytest.approx(-two.high), pytest.approx(-two.low))
    assert (one.share, one.p_value) == (pytest.approx(1 - two.share), pytest.approx(two.p_value))


def test_a_clear_difference_has_the_smallest_share_there_is(trial):
    score, label = trial
    found = paired(score, np.random.default_rng(9).normal(size=200), **label, rounds=199)
    assert found.share == 0.0
    assert found.p_value == pytest.approx(2 / 200)
    assert found.low > 0


def test_noise_is_called_a_difference_about_as_often_as_promised():
    """Two systems of equal quality: p <= 0.1 in about a tenth of 200 trials."""
    rng = np.random.default_rng(3)
    anomaly = np.tile([0, 1], 40)
    hits = 0
    for _ in range(200):
        first, second = (rng.normal(size=80) + anomaly for _ in range(2))
        hits += paired(first, second, anomaly, None, "fan", rounds=100).p_value <= 0.1
    assert 8 <= hits <= 36


@pytest.mark.parametrize("method", ["bca", "jackknife"])
def test_other_intervals_contain_the_difference(trial, method):
    score, label = trial
    other = score + np.random.default_rng(1).normal(size=200)
    found = paired(score, other, **label, method=method)
    assert found.low < found.value < found.high


def test_every_system_is_compared_with_the_reference_by_term_and_overall(trial):
    score, label = trial
    systems = {"good": score, "noise": np.random.default_rng(1).normal(size=200), "same": score}
    found = compare(systems, "good", **label, rounds=100)
    assert [(d.system, d.metric) for d in found] == [
        (name, metric)
        for name in ("noise", "same")
        for metric in ("auc_source", "auc_target", "pauc", "official")
    ]
    assert all(d.value < 0 for d in found[:4])
    assert all(d.value == 0 for d in found[4:])


def test_the_reference_must_be_one_of_the_systems(trial):
    score, label = trial
    with pytest.raises(ConfigError, match=r"reference: is 'best'\. Name one of a"):
        compare({"a": score}, "best", **label)
