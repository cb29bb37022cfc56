"""Conformal calibration: scores become p-values, domain by domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.backends._base import Backend, Fitted, require_both_domains
from asdflow.foundation.errors import DataError
from asdflow.normalizations import register
from asdflow.normalizations._base import Context, ScoreNormalization
from asdflow.normalizations._domains import needs_scores_by_domain
from asdflow.references.bank import SOURCE, TARGET, Queries

DOMAINS = (SOURCE, TARGET)


@register("conformal")
@dataclass(frozen=True)
class Conformal(ScoreNormalization):
    """Negative logarithm of the p-value of a score among the self-scores of its domain.

    s'(x) = -log p(x), p = sum over domains g of a_g(x) (n_g p_g + prior p_all) / (n_g + prior). p_g(s) is the
    share of leave-one-out scores of the n_g bank clips of domain g that lie above s, p_all that of all clips,
    so that `prior` counts as that many pooled clips.

    assignment "hard": a_g is 1 for the domain with the smaller score s_g(x); "soft": a softmax of
    -s_g(x) / (temperature * t), t the median over the bank of |s_source - s_target|.

    p_g is 1 - j / (n + 1) at the j-th smallest score, linear between, and exponential beyond both ends
    with the rate that joins median and maximum (minimum): ten target clips give no flat steps, and no tie at
    the top.

    Source: domain calibration of DACo (empirical quantile maps of leave-one-out scores, shrunk to the pooled
    map); the interpolation and the tails are ours.

    Degenerate input: one clip of a domain, or self-scores that do not vary, have no tail and are a DataError
    unless prior > 0 for one clip. A bank without one of the domains is a ConfigError. Self-scores are mapped
    by the map of the whole bank.
    """

    prior: Annotated[
        float, Field(ge=0.0, description="Weight of the pooled map, in clips: 0 each domain by itself.")
    ] = 0.0
    assignment: Annotated[
        Literal["hard", "soft"], Field(description="Nearest domain, or a softmax of both.")
    ] = "hard"
    temperature: Annotated[
        float, Field(gt=0.0, description="Softness of the softmax, in units of the typical difference.")
    ] = 1.0

    @property
    def needs_domains(self) -> bool:
        """Yes."""
        return True

    def refusal(self, backend: Backend) -> str | None:
        """Needs a score for each domain."""
        return needs_scores_by_domain(backend)

    def wrap(self, fitted: Fitted, context: Context) -> Fitted:
        """Fit the maps to the leave-one-out scores."""
        domain = context.bank.domain
        require_both_domains(f"normalization {self.name}", domain)
        own = fitted.self_scores()
        pooled = Tail.of(own, "all clips")
        maps = []
        for one, name in zip(DOMAINS, ("source", "target"), strict=True):
            part = own[domain == one]
            single = len(part) == 1 and self.prior > 0
            maps.append((len(part), pooled if single else Tail.of(part, f"{name} clips")))
        apart = np.abs(np.diff(fitted.domain_self_scores(), axis=0)[0])
        typical = float(np.median(apart[np.isfinite(apart)]))
        return Calibrated(self, fitted, tuple(maps), pooled, typical)


@dataclass(frozen=True)
class Tail:
    """Logarithm of the upper tail of a sample, continuous and strictly decreasing.

    Attributes
    ----------
    scores : (n,) float64, ascending
    low, high : float
        Rates of the exponential tails below and above.
    """

    scores: np.ndarray
    low: float
    high: float

    @classmethod
    def of(cls, scores: np.ndarray, whose: str) -> Tail:
        """From a sample. Raises DataError when it does not vary."""
        ordered = np.sort(scores)
        middle = float(np.median(ordered))
        reach = np.log((len(ordered) + 1) / 2)
        below, above = middle - ordered[0], ordered[-1] - middle
        if not (below > 0 or above > 0):
            raise DataError(
                "normalization conformal",
                f"has {len(ordered)} self-scores of {whose} that do not vary",
                "Give more clips that differ, or (for one target clip) a prior above 0.",
            )
        # One end may coincide with the median; it then has the rate of the other.
        return cls(ordered, reach / (below if below > 0 else above), reach / (above if above > 0 else below))

    def log_p(self, scores: np.ndarray) -> np.ndarray:
        """(M,) log of the share of the sample above each score."""
        n, ranks = len(self.scores), np.arange(1, len(self.scores) + 1)
        rank = np.interp(scores, self.scores, ranks)
        # Exactly at scores that are equal among themselves: the mean of their ranks.
        first, last = (np.searchsorted(self.scores, scores, side=side) for side in ("left", "right"))
        rank = np.where(last > first, (first + 1 + last) / 2, rank)
        inside = np.log1p(-rank / (n + 1))
        low, high = self.scores[0], self.scores[-1]
        above = -np.log(n + 1) - self.high * (scores - high)
        below = np.log1p(-np.exp(np.minimum(self.low * (scores - low), 0.0)) / (n + 1))
        return np.where(scores > high, above, np.where(scores < low, below, inside))


@dataclass(frozen=True)
class Calibrated(Fitted):
    """A fitted backend, the maps of both domains with their sizes, and of all clips."""

    rule: Conformal
    inner: Fitted
    maps: tuple[tuple[int, Tail], ...]
    pooled: Tail
    typical: float

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) negative log p-values."""
        return self._calibrated(self.inner.scores(queries), self.inner.domain_scores(queries))

    def self_scores(self) -> np.ndarray:
        """(N,) negative log p-values of the leave-one-out scores."""
        return self._calibrated(self.inner.self_scores(), self.inner.domain_self_scores())

    def _calibrated(self, scores: np.ndarray, by_domain: np.ndarray) -> np.ndarray:
        prior, pooled = self.rule.prior, self.pooled.log_p(scores)
        parts = []
        for number, tail in self.maps:
            own = np.log(number / (number + prior)) + tail.log_p(scores)
            if prior > 0:
                own = np.logaddexp(own, np.log(prior / (number + prior)) + pooled)
            parts.append(own)
        return -np.logaddexp.reduce(np.array(parts) + self._log_share(by_domain), axis=0)

    def _log_share(self, by_domain: np.ndarray) -> np.ndarray:
        """(2, M) logarithms of the domains' shares in each clip."""
        gap = by_domain[SOURCE] - by_domain[TARGET]
        if self.rule.assignment == "hard" or not self.typical > 0:
            share = np.stack([gap <= 0, gap > 0]).astype(np.float64)
            with np.errstate(divide="ignore"):
                return np.log(share)
        gap = gap / (self.rule.temperature * self.typical)
        return np.stack([-np.logaddexp(0.0, gap), -np.logaddexp(0.0, -gap)])
