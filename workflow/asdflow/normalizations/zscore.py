"""z-score: scores relative to those of the bank's own clips."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.backends._base import Fitted
from asdflow.foundation.errors import ConfigError
from asdflow.geometry.statistics import Center, Scale, location_and_scale
from asdflow.normalizations import register
from asdflow.normalizations._base import Context, ScoreNormalization
from asdflow.references.bank import Queries

CENTER = Field(description="Location of the scores.")
SCALE = Field(description="Standard deviation (divisor n), or 1.4826 x median absolute deviation.")


@register("zscore")
@dataclass(frozen=True)
class ZScore(ScoreNormalization):
    """Scores in units of their spread on the bank.

    z(x) = (s(x) - m) / d, with location m and scale d of the bank's self-scores: leave-one-out, in sample, or
    from a fit on the other folds. It changes no ranking within a section; it makes sections and detectors
    comparable.

    Source: Zhou & Wang (arXiv 2606.19269), whose self-scores are not specified. In-sample self-scores are 0
    for nearest neighbours and near 0 for PCA, so leave-one-out is the default.

    Degenerate input: self-scores that do not vary (in sample with knn, for one) are a DataError. The
    normalized self-scores are leave-one-out, whatever the statistics are from; m and d are not re-estimated
    for each.
    """

    self_scores: Annotated[
        Literal["loo", "in_sample", "kfold"], Field(description="Self-scores that m and d are taken from.")
    ] = "loo"
    center: Annotated[Center, CENTER] = "mean"
    scale: Annotated[Scale, SCALE] = "sd"
    folds: Annotated[int, Field(ge=2, description="Folds of `self_scores: kfold`.")] = 5

    def wrap(self, fitted: Fitted, context: Context) -> Fitted:
        """Estimate m and d."""
        if self.self_scores == "loo":
            own = fitted.self_scores()
        elif self.self_scores == "in_sample":
            own = fitted.scores(context.bank.as_queries())
        else:
            own = self._folded(context)
        m, d = location_and_scale(own, self.center, self.scale, "normalization zscore: self-scores")
        return ZScored(fitted, m, d)

    def _folded(self, context: Context) -> np.ndarray:
        """Scores of every fold under a fit on the others; recordings take turns within each domain."""
        bank = context.bank
        fold = np.empty(bank.size, dtype=np.int64)
        place = np.argsort(bank.order)  # of each clip, whatever the order in which they were given
        recordings = sorted(bank.recordings, key=lambda clips: place[clips].min())
        if self.folds > len(recordings):
            raise ConfigError(
                "normalization zscore, parameter folds",
                f"is {self.folds}, but the bank has {len(recordings)} recordings",
                f"Set folds to {len(recordings)} or less.",
            )
        turn: Counter[int] = Counter()
        for clips in recordings:
            domain = 0 if bank.domain is None else int(bank.domain[clips[0]])
            fold[clips] = turn[domain] % self.folds
            turn[domain] += 1
        own = np.empty(bank.size)
        for number in range(self.folds):
            rest, part = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            refitted, smaller = context.refit(rest)
            own[part] = refitted.scores(Queries(bank.vectors[part], smaller))
        return own


@dataclass(frozen=True)
class ZScored(Fitted):
    """A fitted backend, m and d."""

    inner: Fitted
    m: float
    d: float

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) z-scores."""
        return (self.inner.scores(queries) - self.m) / self.d

    def self_scores(self) -> np.ndarray:
        """(N,) z-scores of the leave-one-out scores."""
        return (self.inner.self_scores() - self.m) / self.d
