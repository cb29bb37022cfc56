"""Local distance-based outlier factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Fitted
from asdflow.backends._neighbours import Metric
from asdflow.backends._outlier import Graph, OutlierBackend
from asdflow.references.bank import Queries
from asdflow.references.references import References

#: Smallest inner distance that a factor is divided by.
GUARD = 1e-12


@register("ldof")
@dataclass(frozen=True)
class LDOF(OutlierBackend):
    """Mean distance to the k nearest clips, relative to the distances among these.

    s(x) = mean over neighbours y of d(x, y) / mean over pairs y != y' of neighbours of d(y, y').

    Source: Zhang, Hutter & Jin, PAKDD 2009, definitions 1 to 3, with the Euclidean distance.

    Degenerate input: neighbours that are all copies of one clip have inner distance 0; the factor is then
    taken relative to 1e-12. k larger than the bank is a ConfigError. Self-scores are exact.
    """

    k: Annotated[int, Field(ge=2, description="Neighbours.")] = 16
    metric: Metric = "euclidean"

    def fit(self, references: References) -> Fitted:
        """Neighbours of the bank."""
        return FittedLDOF(self.graph(references))


@dataclass(frozen=True)
class FittedLDOF(Fitted):
    """Neighbours."""

    graph: Graph

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) factors."""
        return self._factor(*self.graph.of(queries))

    def self_scores(self) -> np.ndarray:
        """(N,) exact factors: a clip is not among its own neighbours."""
        k = self.graph.k
        return self._factor(self.graph.index[:, :k], self.graph.near[:, :k])

    def _factor(self, index: np.ndarray, near: np.ndarray) -> np.ndarray:
        k, distances = self.graph.k, self.graph.distances
        inner = distances[index[:, :, None], index[:, None, :]].sum(axis=(1, 2)) / (k * (k - 1))
        return near.mean(axis=1) / np.maximum(inner, GUARD)
