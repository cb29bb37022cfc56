"""Thresholds of decisions hold in every unit, beside clips far away, and for every detector."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from asdflow import backends, normalizations
from asdflow.foundation.errors import ConfigError
from asdflow.metrics import threshold
from asdflow.pipeline import build

PARAMETERS = {
    "beam": {"bands": 3},
    "adabeam": {"bands": 3},
    "csls": {"k": 4},
    "smote": {"k": 3, "ratio": 0.8},
    "memmixup": {"k": 5},
    "source_means": {"n": 5},
    "domain_density": {"k_source": 4, "k_target": 3},
    "cluster_exit": {"k": 6},
}


def detectors():
    """Every pair of a backend and a normalization that is not refused."""
    for backend in backends.REGISTRY.names():
        for normalization in normalizations.REGISTRY.names():
            spec = {
                key: {"name": name, **PARAMETERS.get(name, {})}
                for key, name in (("backend", backend), ("normalization", normalization))
            }
            try:
                build.detector(spec)
            except ConfigError:
                continue
            yield pytest.param(spec, id=f"{backend} {normalization}")


@pytest.fixture(scope="module")
def bank():
    """(60, 12) vectors of two domains, 50 and 10 clips, skewed."""
    rng = np.random.default_rng(5)
    domain = np.arange(60) >= 50
    return rng.gamma(2.0, size=(60, 12)) + 0.5 * domain[:, None], domain


@pytest.fixture
def demo_like():
    """100 scores as a nearest neighbour gives them: small, all below 0.0099, skewed."""
    draws = stats.gamma.rvs(3.0, scale=0.0011, size=1000, random_state=np.random.default_rng(4))
    return draws[draws < 0.0099][:100]


@pytest.mark.parametrize("spec", list(detectors()))
def test_every_detector_keeps_about_the_promised_share_below(spec, bank):
    own = build.detector(spec).fit(*bank).self_scores()
    found = threshold(own)
    above = int((own > found.limit).sum())
    assert found.share == above / len(own)
    low, high = stats.binom.interval(0.99, len(own), 0.1)
    assert low <= above <= high


@pytest.mark.parametrize("factor", [1e-12, 1e-3, 1000.0, 1e12])
@pytest.mark.parametrize("shift", [0.0, -3.0])
def test_the_threshold_is_the_same_in_every_unit_and_from_every_origin(demo_like, factor, shift):
    plain = threshold(demo_like).limit
    other = threshold(factor * (demo_like + shift)).limit / factor - shift
    assert other == pytest.approx(plain, rel=1e-9)


def test_small_scores_have_a_threshold_among_them(demo_like):
    limit = threshold(demo_like).limit
    assert limit == pytest.approx(stats.gamma.ppf(0.9, 3.0, scale=0.0011), rel=0.1)


def test_three_clips_far_away_move_nothing():
    normal = stats.chi2.rvs(50, size=381, random_state=np.random.default_rng(0))
    assert threshold([*normal, 300.0, 400.0, 500.0]).limit == pytest.approx(stats.chi2.ppf(0.9, 50), rel=0.03)
    near = threshold([*normal, 300.0, 400.0, 500.0])
    far = threshold([*normal, 3e20, 4e20, 5e300])
    assert far == near


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_scores_may_be_skewed_either_way(sign):
    scores = sign * stats.gamma.rvs(2.0, size=5000, random_state=np.random.default_rng(8))
    expected = stats.gamma.ppf(0.9, 2.0) if sign > 0 else -stats.gamma.ppf(0.1, 2.0)
    found = threshold(scores)
    assert (found.rule, found.reason) == ("gamma", "")
    assert found.limit == pytest.approx(expected, abs=0.06)


def test_it_varies_less_than_the_quantile_of_the_scores():
    """Its use: with 50 clips of a gamma distribution, alarms on new normal clips are nearer to 10 %."""
    law, rng = stats.gamma(4.0), np.random.default_rng(6)
    draws = [law.rvs(50, random_state=rng) for _ in range(300)]
    spread = {
        rule: np.mean([(law.sf(threshold(draw, rule=rule).limit) - 0.1) ** 2 for draw in draws])
        for rule in ("gamma", "quantile")
    }
    assert spread["gamma"] < 0.9 * spread["quantile"]


def test_a_fit_that_the_scores_contradict_is_replaced_with_a_reason():
    two_heaps = np.concatenate([np.linspace(0.0, 1.0, 850), np.linspace(1000.0, 1001.0, 150)])
    found = threshold(two_heaps)
    assert found.rule == "quantile"
    assert "a gamma distribution does not fit: it would leave" in found.reason
    assert found.limit == np.quantile(two_heaps, 0.9)
    assert found.share == 0.1


@pytest.mark.parametrize("scores", [[0.0] * 96 + [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0]])
def test_scores_without_a_distribution_have_a_quantile_and_a_reason(scores):
    found = threshold(scores)
    assert (found.rule, found.limit) == ("quantile", np.quantile(scores, 0.9))
    assert "no distribution is fitted to" in found.reason


def test_words_name_limit_rule_and_share():
    assert str(threshold(np.arange(101.0), rule="quantile")) == (
        "90 by quantile, 9.9 % of 101 training clips above"
    )
