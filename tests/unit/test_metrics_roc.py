"""AUC and partial AUC against scikit-learn, ties included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from asdflow.metrics import auc, pauc
from asdflow.metrics.measure import OFFICIAL, SIMPLE_RESTRICTED
from asdflow.metrics.roc import term_values

EXACT = 1e-12


@st.composite
def clips(draw):
    """Scores from so few levels that most of them tie, with both labels present."""
    size = draw(st.integers(2, 60))
    levels = draw(st.integers(1, 12))
    score = draw(st.lists(st.integers(0, levels), min_size=size, max_size=size))
    anomaly = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    anomaly[0], anomaly[1] = 0, 1
    return np.array(score, dtype=float), np.array(anomaly)


@given(clips())
@settings(max_examples=150, deadline=None)
def test_auc_and_pauc_equal_scikit_learn_with_ties(drawn):
    score, anomaly = drawn
    assert auc(score, anomaly) == pytest.approx(roc_auc_score(anomaly, score), abs=EXACT)
    assert pauc(score, anomaly) == pytest.approx(roc_auc_score(anomaly, score, max_fpr=0.1), abs=EXACT)


@given(clips(), st.floats(0.01, 0.99))
@settings(max_examples=60, deadline=None)
def test_pauc_equals_scikit_learn_at_any_limit(drawn, limit):
    score, anomaly = drawn
    expected = roc_auc_score(anomaly, score, max_fpr=limit)
    assert pauc(score, anomaly, limit) == pytest.approx(expected, abs=1e-10)


@given(clips(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_a_weight_counts_like_repeating_the_clip(drawn, seed):
    score, anomaly = drawn
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, len(score)).astype(bool)
    target[:2] = False
    weight = rng.integers(0, 4, (len(score), 3))
    for kept in ([0, 1], np.flatnonzero(target & (anomaly == 0))[:1]):  # no scope may lose all its clips
        weight[kept] = np.maximum(weight[kept], 1)
    values = term_values(OFFICIAL.terms, score, anomaly.astype(bool), target, weight.astype(float))
    for column in range(3):
        rows = np.repeat(np.arange(len(score)), weight[:, column])
        source = rows[(anomaly[rows] == 1) | ~target[rows]]
        assert values[0, column] == pytest.approx(roc_auc_score(anomaly[source], score[source]), abs=EXACT)
        assert values[2, column] == pytest.approx(
            roc_auc_score(anomaly[rows], score[rows], max_fpr=0.1), abs=EXACT
        )


@pytest.mark.parametrize(
    "rise",
    [np.exp, np.arctan, lambda s: s**3, lambda s: 1e9 * s + 1e12, lambda s: s / 1e30],
    ids=["exp", "arctan", "cube", "stretched", "tiny"],
)
def test_any_increasing_map_leaves_auc_and_pauc_bit_for_bit(rise):
    rng = np.random.default_rng(1)
    score = np.round(rng.normal(size=300), 2)
    anomaly = rng.integers(0, 2, 300)
    assert auc(rise(score), anomaly) == auc(score, anomaly)
    assert pauc(rise(score), anomaly) == pauc(score, anomaly)


def test_scores_far_above_one_keep_their_order():
    """A library that squashes scores by a sigmoid sees four equal ones here and answers 0.5."""
    assert auc([18.0, 19.0, 20.0, 21.0], [0, 0, 1, 1]) == 1.0


def test_equal_scores_are_chance():
    assert auc(np.full(20, 3.0), [0, 1] * 10) == 0.5
    assert pauc(np.full(20, 3.0), [0, 1] * 10) == pytest.approx(0.5, abs=EXACT)


def test_reversed_order_is_the_worst():
    score, anomaly = np.arange(40.0), np.arange(40) < 20
    assert auc(score, anomaly) == 0.0
    assert pauc(score, anomaly) == pytest.approx(roc_auc_score(anomaly, score, max_fpr=0.1), abs=EXACT)
    assert pauc(-score, anomaly) == 1.0


def test_one_normal_and_one_anomalous_clip_are_enough():
    assert auc([1.0, 2.0], [0, 1]) == 1.0
    assert pauc([2.0, 1.0], [0, 1]) == pytest.approx(
        roc_auc_score([0, 1], [2.0, 1.0], max_fpr=0.1), abs=EXACT
    )


def test_the_false_positive_limit_may_fall_on_a_clip_or_between_two():
    rng = np.random.default_rng(3)
    for normals in (10, 15, 50, 100, 101):  # 0.1 of them is whole for some, broken for others
        score = rng.normal(size=normals + 30)
        anomaly = np.r_[np.zeros(normals, int), np.ones(30, int)]
        assert pauc(score, anomaly) == pytest.approx(roc_auc_score(anomaly, score, max_fpr=0.1), abs=EXACT)


def test_a_scope_without_clips_gives_nan():
    score, anomaly = np.arange(6.0), np.array([0, 0, 0, 1, 1, 1], dtype=bool)
    values = term_values(SIMPLE_RESTRICTED.terms, score, anomaly, np.zeros(6, dtype=bool), np.ones((6, 1)))
    assert np.isnan(values[:, 0]).tolist() == [False, True, False, True]
