"""Backends that reduce the distances from a clip to all references: one rule, applied to each band."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from asdflow.backends._base import Backend, Fitted
from asdflow.bank import SOURCE, TARGET, Embedded, Queries
from asdflow.references import References

Metric = Annotated[
    Literal["cosine", "euclidean"],
    Field(description="Distance between embeddings: (1 - cos) / 2, or Euclidean."),
]
Bands = Annotated[
    int,
    Field(ge=1, description="Frequency bands of the embedding (band-major), compared one by one."),
]


class NeighbourBackend(Backend):
    """A backend whose score is a function of the distances to the references.

    A member has the field `metric` and, where it works band by band, `bands`, and supplies `check` and
    `reduce`. A normalization on the reference side changes the distances before `reduce` sees them.
    """

    by_domain: ClassVar[bool] = True
    metric: Metric
    bands: int = 1

    @property
    def compares_by(self) -> str:
        """The metric."""
        return self.metric

    @property
    def segments(self) -> int:
        """Each band."""
        return self.bands

    @abstractmethod
    def check(self, references: References) -> None:
        """Raise ConfigError when the parameters ask for more references than there are."""

    @abstractmethod
    def reduce(self, distances: np.ndarray, domain: np.ndarray | None) -> np.ndarray:
        """(bands, M, R) distances, infinite to references that may not be used, to (bands, M) scores.

        `domain` is that of the references.
        """

    def combine(self, scores: np.ndarray, clips: Embedded) -> np.ndarray:
        """(bands, M) scores of these clips to (M,): the mean of the bands."""
        return scores.mean(axis=0)

    def fit(self, references: References) -> Fitted:
        """Keep the references; there is nothing to estimate."""
        self.check(references)
        return FittedNeighbours(self, references)


@dataclass(frozen=True)
class FittedNeighbours(Fitted):
    """A neighbour backend and its references."""

    backend: NeighbourBackend
    references: References

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) scores."""
        return self._score(self._to(queries), queries)

    def self_scores(self) -> np.ndarray:
        """(N,) exact leave-one-out scores: what a clip takes away is left out by number, not by rank."""
        return self._score(self._left_out(), self.references.bank)

    def domain_scores(self, queries: Queries) -> np.ndarray:
        """(2, M) scores against each domain."""
        return self._by_domain(self._to(queries), queries)

    def domain_self_scores(self) -> np.ndarray:
        """(2, N) exact leave-one-out scores against each domain."""
        return self._by_domain(self._left_out(), self.references.bank)

    def _to(self, queries: Queries) -> np.ndarray:
        return self.references.to(queries, self.backend.compares_by, self.backend.segments)

    def _left_out(self) -> np.ndarray:
        return self.references.left_out(self.backend.compares_by, self.backend.segments)

    def _score(self, distances: np.ndarray, clips: Embedded) -> np.ndarray:
        return self.backend.combine(self.backend.reduce(distances, self.references.domain), clips)

    def _by_domain(self, distances: np.ndarray, clips: Embedded) -> np.ndarray:
        domain = self.references.domain
        parts = [
            self.backend.reduce(distances[:, :, domain == one], domain[domain == one])
            for one in (SOURCE, TARGET)
        ]
        return np.stack([self.backend.combine(part, clips) for part in parts])


def mean_of_smallest(distances: np.ndarray, k: int) -> np.ndarray:
    """Mean of the k smallest values of the last axis; infinite where fewer than k are finite."""
    if k == 1:
        return distances.min(axis=-1)
    if k < distances.shape[-1]:
        distances = np.partition(distances, k - 1, axis=-1)[..., :k]
    # Summed in ascending order, so that the order of the bank's clips does not show in the last bit.
    return np.sort(distances, axis=-1).sum(axis=-1) / k
