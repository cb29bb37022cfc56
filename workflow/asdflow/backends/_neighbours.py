"""Backends that reduce the distances from a clip to all references: one rule, applied to each band."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from asdflow.backends._base import Backend, Fitted
from asdflow.bank import SOURCE, TARGET, Queries
from asdflow.references import References

Metric = Literal["cosine", "euclidean"]


class NeighbourBackend(Backend):
    """A backend whose score is a function of the distances to the references.

    A member has the fields `metric` and, where it works band by band, `bands`, and supplies `check` and
    `reduce`. A normalization on the reference side changes the distances before `reduce` sees them.
    """

    by_domain: ClassVar[bool] = True
    metric: Metric
    bands: int = 1

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metric of the shared matrix; none when bands are kept apart."""
        return (self.metric,) if self.bands == 1 else ()

    @abstractmethod
    def check(self, references: References) -> None:
        """Raise ConfigError when the parameters ask for more references than there are."""

    @abstractmethod
    def reduce(self, distances: np.ndarray, domain: np.ndarray | None) -> np.ndarray:
        """(bands, M, R) distances, infinite to references that may not be used, to (M,) scores.

        `domain` is that of the references.
        """

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
        return self.backend.reduce(self._to(queries), self.references.domain)

    def self_scores(self) -> np.ndarray:
        """(N,) exact leave-one-out scores: the row and column of a clip are left out by index."""
        return self.backend.reduce(self._left_out(), self.references.domain)

    def domain_scores(self, queries: Queries) -> np.ndarray:
        """(2, M) scores against each domain."""
        return self._by_domain(self._to(queries))

    def domain_self_scores(self) -> np.ndarray:
        """(2, N) exact leave-one-out scores against each domain."""
        return self._by_domain(self._left_out())

    def _to(self, queries: Queries) -> np.ndarray:
        return self.references.to(queries, self.backend.metric, self.backend.bands)

    def _left_out(self) -> np.ndarray:
        return self.references.left_out(self.backend.metric, self.backend.bands)

    def _by_domain(self, distances: np.ndarray) -> np.ndarray:
        domain = self.references.domain
        return np.stack(
            [
                self.backend.reduce(distances[:, :, domain == one], domain[domain == one])
                for one in (SOURCE, TARGET)
            ]
        )


def mean_of_smallest(distances: np.ndarray, k: int) -> np.ndarray:
    """Mean of the k smallest values of the last axis; infinite where fewer than k are finite."""
    if k == 1:
        return distances.min(axis=-1)
    if k < distances.shape[-1]:
        distances = np.partition(distances, k - 1, axis=-1)[..., :k]
    # Summed in ascending order, so that the order of the bank's clips does not show in the last bit.
    return np.sort(distances, axis=-1).sum(axis=-1) / k
