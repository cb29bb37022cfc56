"""Thresholds and decisions."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import precision_recall_fscore_support

from asdflow.foundation.errors import ConfigError, DataError
from asdflow.metrics import decide, f1, threshold


def test_the_quantile_rule_lets_that_share_of_normal_clips_pass():
    training = np.random.default_rng(0).permutation(np.arange(101.0))
    assert threshold(training, quantile=0.9, rule="quantile").limit == 90.0
    assert decide(training, 90.0).sum() == 10


def test_by_default_the_threshold_is_the_quantile_of_a_fitted_gamma_distribution():
    training = stats.gamma.rvs(4.0, loc=2.0, scale=0.5, size=3000, random_state=np.random.default_rng(1))
    expected = stats.gamma.ppf(0.9, 4.0, loc=2.0, scale=0.5)
    assert threshold(training).limit == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("rule", ["quantile", "gamma"])
def test_equal_training_scores_are_their_own_threshold(rule):
    assert threshold(np.full(30, 0.25), rule=rule).limit == 0.25
    assert threshold([0.25], rule=rule).limit == 0.25


def test_a_score_on_the_threshold_is_no_alarm():
    assert decide([0.9, 1.0, 1.1], 1.0).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("training", "options", "error", "message"),
    [
        ([], {}, DataError, r"shape \(0,\)"),
        ([1.0, np.nan], {}, DataError, "1 values that are not finite"),
        ([1.0, 2.0], {"quantile": 1.0}, ConfigError, "quantile: is 1.0"),
        ([1.0, 2.0], {"rule": "normal"}, ConfigError, "rule: is 'normal'"),
    ],
)
def test_bad_thresholds_are_refused(training, options, error, message):
    with pytest.raises(error, match=message):
        threshold(training, **options)


def test_f1_equals_scikit_learn_in_every_section_and_domain():
    rng = np.random.default_rng(2)
    anomaly, domain, decision = rng.integers(0, 2, (3, 300))
    machine = np.array(["fan", "pump", "valve"])[rng.integers(0, 3, 300)]
    found = f1(decision, anomaly, domain, machine)
    f1s = []
    for row in found.table.to_pylist():
        for suffix, inside in (("", True), ("_source", domain == 0), ("_target", domain == 1)):
            rows = (machine == row["machine"]) & inside
            expected = precision_recall_fscore_support(anomaly[rows], decision[rows], average="binary")[:3]
            assert [row[word + suffix] for word in ("precision", "recall", "f1")] == pytest.approx(expected)
        f1s.append(row["f1"])
    assert found.overall == pytest.approx(stats.hmean(f1s))
    assert found.means["f1"] == pytest.approx(np.mean(f1s))


def test_no_alarm_gives_zero_and_a_domain_without_both_labels_gives_null():
    found = f1([0, 0, 0], [0, 1, 0], [0, 0, 1], "fan")
    row = found.table.to_pylist()[0]
    assert (row["precision"], row["recall"], row["f1"]) == (0.0, 0.0, 0.0)
    assert (row["f1_source"], row["f1_target"]) == (0.0, None)
    assert found.overall < 1e-15


def test_a_decision_is_zero_or_one():
    with pytest.raises(DataError, match=r"decision: holds .*0\.5"):
        f1([0, 0.5], [0, 1], None, "fan")
