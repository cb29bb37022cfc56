"""Domain-wise standardisation: scores against each domain on one scale, then the smaller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.backends._base import Backend, Fitted, require_both_domains
from asdflow.foundation.errors import ConfigError
from asdflow.geometry.statistics import Center, Scale, location, location_and_scale
from asdflow.normalizations import register
from asdflow.normalizations._base import Context, ScoreNormalization
from asdflow.normalizations._domains import needs_scores_by_domain
from asdflow.references.bank import SOURCE, TARGET, Queries

NAMES = ("source", "target")


@register("domain_standardise")
@dataclass(frozen=True)
class DomainStandardise(ScoreNormalization):
    """Smaller of the two domains' standardised scores.

    With s_g(x) the score against the bank of domain g alone, s(x) = min over g of (s_g(x) - m_g) / d_g.

    statistics "test": m_g and d_g over the clips to be scored. That is transductive: a clip's score depends
    on the others, so that it must be compared with methods of that kind only. statistics "loo": over the
    leave-one-out scores within each domain of the bank, with `width: target` dividing both by the target's.

    Source: Saengthong & Shinozaki, GenRep (arXiv 2409.05035) for "test"; their DCASE 2025 Task 2 report for
    "loo" with width "target". Standard deviations have the divisor n.

    Degenerate input: a bank without one of the domains is a ConfigError, and so are fewer than three target
    clips for "loo", where the leave-one-out distances within a pair cannot differ. Scores that do not vary
    are a DataError; one clip cannot be scored with "test". Self-scores of "test" are standardised over the
    bank's clips.
    """

    statistics: Annotated[
        Literal["test", "loo"],
        Field(description="Over the clips to be scored (transductive), or leave-one-out over the bank."),
    ] = "loo"
    center: Annotated[Center, Field(description="Location of a domain's scores.")] = "mean"
    scale: Annotated[
        Scale, Field(description="Standard deviation (divisor n), or 1.4826 x median absolute deviation.")
    ] = "sd"
    width: Annotated[
        Literal["own", "target"], Field(description="Each domain's own scale, or the target's for both.")
    ] = "own"

    @property
    def needs_domains(self) -> bool:
        """Yes."""
        return True

    @property
    def transductive(self) -> bool:
        """With statistics of the test set."""
        return self.statistics == "test"

    def refusal(self, backend: Backend) -> str | None:
        """Needs a score for each domain."""
        return needs_scores_by_domain(backend)

    def wrap(self, fitted: Fitted, context: Context) -> Fitted:
        """Estimate the statistics, unless they are those of the test set."""
        domain = context.bank.domain
        require_both_domains(f"normalization {self.name}", domain)
        if self.statistics == "test":
            return Standardised(self, fitted, None)
        own = fitted.domain_self_scores()
        parts = []
        for one in (SOURCE, TARGET):
            number = int((domain == one).sum())
            if number < 3:
                raise ConfigError(
                    f"normalization {self.name}",
                    f"needs leave-one-out scores of three {NAMES[one]} clips, but the bank has {number}",
                    "Give more clips of that domain, or another normalization.",
                )
            parts.append(own[one, domain == one])
        return Standardised(self, fitted, self.estimate(parts))

    def estimate(self, parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """(2,) locations and (2,) scales of the scores of each domain."""
        what = "normalization domain_standardise: scores against the {}"
        if self.width == "target":
            scale = location_and_scale(parts[TARGET], self.center, self.scale, what.format("target"))[1]
            return np.array([location(part, self.center) for part in parts]), np.array([scale, scale])
        pairs = [
            location_and_scale(part, self.center, self.scale, what.format(name))
            for part, name in zip(parts, NAMES, strict=True)
        ]
        return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])


@dataclass(frozen=True)
class Standardised(Fitted):
    """A fitted backend, and the statistics unless they are those of the test set."""

    rule: DomainStandardise
    inner: Fitted
    statistics: tuple[np.ndarray, np.ndarray] | None

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) smaller of the standardised scores."""
        return self._standardised(self.inner.domain_scores(queries)).min(axis=0)

    def self_scores(self) -> np.ndarray:
        """(N,) smaller of the standardised leave-one-out scores."""
        return self._standardised(self.inner.domain_self_scores()).min(axis=0)

    def _standardised(self, scores: np.ndarray) -> np.ndarray:
        m, d = self.statistics or self.rule.estimate([part[np.isfinite(part)] for part in scores])
        return (scores - m[:, None]) / d[:, None]
