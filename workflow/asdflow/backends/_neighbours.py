"""Backends of the distances from a clip to its nearest references: one rule, applied to each band."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from asdflow.backends._base import Backend, Fitted, require_size
from asdflow.geometry.space import Space
from asdflow.references.bank import SOURCE, TARGET, Embedded, Queries
from asdflow.references.candidates import ByDomain, Candidates

Metric = Annotated[
    Literal["cosine", "euclidean"],
    Field(description="Distance between embeddings: (1 - cos) / 2, or Euclidean."),
]
Bands = Annotated[
    int,
    Field(ge=1, description="Frequency bands of the embedding (band-major), compared one by one."),
]


class NeighbourBackend(Backend):
    """A backend whose score is a function of the distances to the nearest references of each domain.

    A member has the field `metric` and, where it works band by band, `bands`, and supplies `check`,
    `neighbours` and `reduce`. A normalization on the reference side changes the distances among which the
    nearest are found.
    """

    by_domain: ClassVar[bool] = True
    metric: Metric
    bands: int = 1

    @property
    def compares_in(self) -> Space:
        """The metric, in each band."""
        return Space(self.metric, self.bands)

    @property
    @abstractmethod
    def neighbours(self) -> int:
        """Nearest references of each domain that the score looks at."""

    @abstractmethod
    def check(self, references: Candidates) -> None:
        """Raise ConfigError when the parameters ask for more references than there are."""

    @abstractmethod
    def reduce(self, nearest: ByDomain) -> np.ndarray:
        """(bands, M, neighbours) ascending distances by domain, infinite where none is, to (bands, M)."""

    def combine(self, scores: np.ndarray, clips: Embedded) -> np.ndarray:
        """(..., bands, M) scores of these clips to (..., M): the mean of the bands."""
        return scores.mean(axis=-2)

    def fit(self, references: Candidates) -> Fitted:
        """Keep the references; there is nothing to estimate."""
        self.check(references)
        return FittedNeighbours(self, references)


@dataclass(frozen=True)
class FittedNeighbours(Fitted):
    """A neighbour backend and its references."""

    backend: NeighbourBackend
    references: Candidates

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) scores."""
        return self._score(queries)

    def self_scores(self) -> np.ndarray:
        """(N,) exact leave-one-out scores: what a clip takes away is left out by number, not by rank."""
        return self._score(self.references.bank)

    def domain_scores(self, queries: Queries) -> np.ndarray:
        """(2, M) scores against each domain."""
        return self._score_by_domain(queries)

    def domain_self_scores(self) -> np.ndarray:
        """(2, N) exact leave-one-out scores against each domain."""
        return self._score_by_domain(self.references.bank)

    def _score(self, clips: Embedded) -> np.ndarray:
        return self.backend.combine(self.backend.reduce(self._nearest(clips)), clips)

    def _score_by_domain(self, clips: Embedded) -> np.ndarray:
        nearest = self._nearest(clips)
        scores = np.stack([self.backend.reduce({one: nearest[one]}) for one in (SOURCE, TARGET)])
        return self.backend.combine(scores, clips)

    def _nearest(self, clips: Embedded) -> ByDomain:
        return self.references.nearest(clips, self.backend.neighbours)


def mean_of_nearest(nearest: ByDomain, k: int, where: str) -> np.ndarray:
    """(bands, M) mean of the k smallest distances of all domains. Raises ConfigError where fewer are left.

    Summed in ascending order, so that the order of the bank's clips does not show in the last bit.
    """
    lists = list(nearest.values())
    merged = lists[0] if len(lists) == 1 else np.sort(np.concatenate(lists, axis=-1), axis=-1)
    left = int(np.isfinite(merged[0, :, :k]).sum(axis=-1).min())
    require_size(where, "k", k, left, "references left when a clip is scored")
    return merged[..., 0] if k == 1 else merged[..., :k].sum(axis=-1) / k
