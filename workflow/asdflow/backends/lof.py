"""Local outlier factor."""

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

#: Added to a mean reachability distance, as in scikit-learn, so that copies have a finite density.
GUARD = 1e-10
#: Numbers of one batch of neighbours of neighbours.
SECOND = 2**22


@register("lof")
@dataclass(frozen=True)
class LOF(OutlierBackend):
    """Local outlier factor of a clip with regard to the bank.

    With k-dist(y) the distance from y to its k-th neighbour and reach(x, y) = max(k-dist(y), d(x, y)),
    lrd(x) = 1 / (mean reach from x to its k neighbours + 1e-10) and
    s(x) = mean lrd of the k neighbours / lrd(x).

    Source: Breunig et al., SIGMOD 2000; equal to scikit-learn's
    `-LocalOutlierFactor(novelty=True).score_samples` (the ratio does not depend on the scale of the cosine
    distance). k 8 and 16 in Wilkinghoff et al. (2025).

    Degenerate input: beside k copies of one clip lrd is 1e10, and a normal clip there scores 1e7: by default
    a set of exact copies is one clip (`duplicates`). k larger than N - 1 is a ConfigError, k = N - 1 leaves
    no self-scores. Self-scores are exact: k-distances and densities are without the clip.
    """

    k: Annotated[int, Field(ge=1, description="Neighbours.")] = 16
    metric: Metric = "cosine"
    duplicates: Duplicates = "distinct"

    def fit(self, references: References) -> Fitted:
        """Neighbours and local reachability densities of the bank."""
        graph = self.graph(references)
        reach = graph.near[:, self.k - 1]
        mean = np.maximum(reach[graph.index[:, : self.k]], graph.near[:, : self.k]).mean(axis=1)
        return FittedLOF(graph, 1.0 / (mean + GUARD))


@dataclass(frozen=True)
class FittedLOF(FittedOutlier):
    """Neighbours and (R,) densities."""

    graph: Graph
    density: np.ndarray

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) factors."""
        index, near = self.graph.of(queries)
        reach = self.graph.near[:, self.graph.k - 1]
        own = 1.0 / (np.maximum(reach[index], near).mean(axis=1) + GUARD)
        return self.density[index].mean(axis=1) / own

    def without(self, rows: np.ndarray) -> np.ndarray:
        """(n,) exact factors, some at a time."""
        step = max(1, SECOND // self.graph.k**2)
        parts = [self._without(rows[start : start + step]) for start in range(0, len(rows), step)]
        return np.concatenate([np.zeros(0), *parts])

    def _without(self, clips: np.ndarray) -> np.ndarray:
        graph = self.graph
        index, near = graph.without(clips, clips)  # (n, k): a clip is not among its own neighbours
        gone = np.broadcast_to(clips[:, None], index.shape)
        second, apart = graph.without(index, gone)  # (n, k, k)
        reach = graph.reach_without(second, np.broadcast_to(gone[..., None], second.shape))
        density = 1.0 / (np.maximum(reach, apart).mean(axis=-1) + GUARD)
        own = 1.0 / (np.maximum(graph.reach_without(index, gone), near).mean(axis=-1) + GUARD)
        return density.mean(axis=-1) / own
