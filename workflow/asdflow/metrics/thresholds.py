"""The score above which a clip is an alarm, from the scores of normal training clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from asdflow.foundation.errors import ConfigError, DataError

Rule = Literal["gamma", "quantile"]
RULES = ("gamma", "quantile")
SHAPES = np.logspace(-1.0, 3.0, 41)
"""Shapes that are tried: skewness 6.3 down to 0.06 (2 / sqrt(shape)), either way round."""
FEWEST = 5  # scores from which a shape is told
DOUBT = 0.01  # chance that a right distribution is called a wrong one


@dataclass(frozen=True)
class Threshold:
    """A threshold and what it does to the scores that it comes from.

    Attributes
    ----------
    limit : float
        A clip is an alarm when its score is larger.
    rule : "gamma" or "quantile"
        What gave it: where a gamma distribution does not fit, the quantile of the scores stands in.
    share : float
        Share of the training scores above it, in [0, 1]; `1 - quantile` was asked for.
    clips : int
        Training scores.
    reason : str
        Why another rule than the wanted one was used; empty where it was not.
    """

    limit: float
    rule: Rule
    share: float
    clips: int
    reason: str = ""

    def __str__(self) -> str:
        words = (
            f"{self.limit:g} by {self.rule}, {100 * self.share:.3g} % of {self.clips} training clips above"
        )
        return f"{words}; {self.reason}" if self.reason else words


def threshold(training, quantile: float = 0.9, rule: Rule = "gamma", name: str = "training") -> Threshold:
    """Score above which a clip is called anomalous.

    Parameters
    ----------
    training : (N,) float
        Scores of normal training clips, each scored without itself (leave-one-out). Any unit, any sign.
    quantile : float
        Share q of normal clips below the threshold, in (0, 1); the challenge's baseline uses 0.9.
    rule : "gamma" or "quantile"
        "quantile": that of the scores themselves, linear between order statistics.
        "gamma": that of a gamma distribution with free shape, location and scale, mirrored where the scores
        are skewed to the left. For each of `SHAPES` the line

            s_(i) = location + scale * G_shape((i - 1/2) / N)

        is drawn by least squares through the sorted scores over the quantiles G of the distribution, and the
        shape whose line fits best is taken (probability plot correlation: Filliben 1975; for this
        distribution Vogel and McMartin 1991). The outer half of the share that q cuts off, at either end, has
        no say: a few clips far away move nothing. Lines and least squares are the same in every unit, so
        threshold(a s + b) = a threshold(s) + b for a > 0.
    name : str
        For messages.

    Returns
    -------
    Threshold
        The gamma distribution is checked against the scores: where as many or as few of them above its
        threshold as there are have a chance below 0.5 % under a binomial distribution (N, 1 - q), where fewer
        than 5 scores are given, or where most are equal, it is the quantile, and `reason` says so.

    Raises
    ------
    DataError
        No training score; scores that are not finite.
    ConfigError
        quantile outside (0, 1); unknown rule.
    """
    if not 0.0 < quantile < 1.0:
        raise ConfigError("quantile", f"is {quantile}, must lie between 0 and 1", "The usual value is 0.9.")
    if rule not in RULES:
        raise ConfigError("rule", f"is {rule!r}", f"Use one of {', '.join(RULES)}.")
    values = np.asarray(training, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise DataError(
            name,
            f"has shape {values.shape} and {int((~np.isfinite(values)).sum())} values that are not finite",
            "A threshold needs at least one finite training score.",
        )
    values = np.sort(values)
    reason = ""
    if rule == "gamma":
        limit, reason = _gamma(values, quantile)
        if not reason:
            return _made(values, limit, "gamma")
    return _made(values, float(np.quantile(values, quantile)), "quantile", reason)


def decide(score, limit: float) -> np.ndarray:
    """(M,) int8: 1 where the score is above the threshold."""
    return (np.asarray(score, dtype=np.float64) > limit).astype(np.int8)


def _made(values: np.ndarray, limit: float, rule: Rule, reason: str = "") -> Threshold:
    return Threshold(limit, rule, float((values > limit).mean()), len(values), reason)


def _gamma(values: np.ndarray, quantile: float) -> tuple[float, str]:
    """The fitted threshold of sorted scores, or why there is none."""
    count = len(values)
    if count < FEWEST:
        return 0.0, f"no distribution is fitted to fewer than {FEWEST} scores"
    cut = int(min(quantile, 1.0 - quantile) / 2.0 * count)
    kept = values[cut : count - cut]
    begin, width = kept[0], kept[-1] - kept[0]
    if not (0.0 < width < np.inf):
        return 0.0, "no distribution is fitted to scores most of which are equal"
    level = ((np.arange(count) + 0.5) / count)[cut : count - cut]
    limit = float(begin + width * _line((kept - begin) / width, level, quantile))
    above = int((values > limit).sum())
    if not np.isfinite(limit) or _chance(above, count, 1.0 - quantile) < DOUBT / 2.0:
        return 0.0, f"a gamma distribution does not fit: it would leave {above} of {count} above"
    return limit, ""


def _line(values: np.ndarray, level: np.ndarray, quantile: float) -> float:
    """Height at `quantile` of the best of the lines through sorted values over quantiles of the shapes."""
    levels = np.append(level, quantile)
    axes = np.concatenate([_quantiles(levels), -_quantiles(1.0 - levels)])  # (shapes, levels)
    axis, asked = axes[:, :-1], axes[:, -1]
    middle = axis.mean(axis=1)
    across, up = axis - middle[:, None], values - values.mean()
    slope = across @ up / (across**2).sum(axis=1)
    left = ((up - slope[:, None] * across) ** 2).sum(axis=1)
    best = int(np.argmin(left))
    return float(values.mean() + slope[best] * (asked[best] - middle[best]))


def _quantiles(levels: np.ndarray) -> np.ndarray:
    """(shapes, levels) of gamma distributions with location 0 and scale 1."""
    from scipy.special import gammaincinv

    return gammaincinv(SHAPES[:, None], levels[None, :])


def _chance(above: int, count: int, share: float) -> float:
    """Probability of so many, or of so few, among `count` that are above with this probability."""
    from scipy.special import bdtr, bdtrc

    more = bdtrc(above - 1, count, share) if above else 1.0
    return float(min(more, bdtr(above, count, share)))
