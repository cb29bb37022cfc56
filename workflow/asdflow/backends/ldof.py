"""Local distance-based outlier factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Fitted
from asdflow.backends._neighbours import Metric
from asdflow.backends._outlier import Duplicates, FittedOutlier, Graph, OutlierBackend
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

    Degenerate input: by default a set of exact copies is one clip (`duplicates`); otherwise neighbours that
    are all copies have inner distance 0, and the factor is relative to 1e-12. k larger than the bank is a
    ConfigError. Self-scores are exact.
    """

    k: Annotated[int, Field(ge=2, description="Neighbours.")] = 16
    metric: Metric = "euclidean"
    duplicates: Duplicates = "distinct"

    def fit(self, references: References) -> Fitted:
        """Neighbours of the bank."""
        return FittedLDOF(self.graph(references))


@dataclass(frozen=True)
class FittedLDOF(FittedOutlier):
    """Neighbours."""

    graph: Graph

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) factors."""
        return self._factor(*self.graph.of(queries))

    def without(self, rows: np.ndarray) -> np.ndarray:
        """(n,) exact factors: a clip is not among its own neighbours."""
        k = self.graph.k
        return self._factor(self.graph.index[rows, :k], self.graph.near[rows, :k])

    def _factor(self, index: np.ndarray, near: np.ndarray) -> np.ndarray:
        k, distances = self.graph.k, self.graph.distances
        inner = distances[index[:, :, None], index[:, None, :]].sum(axis=(1, 2)) / (k * (k - 1))
        return near.mean(axis=1) / np.maximum(inner, GUARD)
