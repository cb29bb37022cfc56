"""Local outlier probability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Fitted
from asdflow.backends._neighbours import Metric
from asdflow.backends._outlier import Duplicates, FittedOutlier, Graph, OutlierBackend
from asdflow.references.bank import Queries
from asdflow.references.references import References

#: Smallest expected distance that a factor is divided by.
GUARD = 1e-12


@register("loop")
@dataclass(frozen=True)
class LoOP(OutlierBackend):
    """Probabilistic local outlier factor of a clip with regard to the bank.

    With pdist(x) = extent * sqrt(mean of d(x, y)^2 over the k neighbours y of x),
    PLOF(x) = pdist(x) / (mean pdist of the neighbours) - 1. `score: probability` gives
    max(0, erf(PLOF / (sqrt(2) nPLOF))), nPLOF = extent * sqrt(mean PLOF^2 over the bank).

    Source: Kriegel et al., CIKM 2009, with the Euclidean distance and extent 3. The probability saturates at
    1 and at 0, where it ranks no more; the factor does not, so it is the default.

    Degenerate input: by default a set of exact copies is one clip (`duplicates`); otherwise neighbours that
    are all copies have pdist 0, which is taken as 1e-12. k larger than N - 1 is a ConfigError, k = N - 1
    leaves no self-scores. Self-scores are exact, nPLOF included.
    """

    k: Annotated[int, Field(ge=1, description="Neighbours.")] = 16
    metric: Metric = "euclidean"
    duplicates: Duplicates = "distinct"
    score: Annotated[
        Literal["factor", "probability"], Field(description="PLOF, or the probability made of it.")
    ] = "factor"
    extent: Annotated[float, Field(gt=0.0, description="Standard deviations that count as normal.")] = 3.0

    def fit(self, references: References) -> Fitted:
        """Neighbours and probabilistic distances of the bank."""
        graph = self.graph(references)
        return FittedLoOP(self, graph, _rms(graph.near[:, : self.k]))


@dataclass(frozen=True)
class FittedLoOP(FittedOutlier):
    """Neighbours and (R,) root mean squares of their distances; `extent` cancels in PLOF."""

    backend: LoOP
    graph: Graph
    spread: np.ndarray

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) factors or probabilities."""
        index, near = self.graph.of(queries)
        factor = _factor(_rms(near), self.spread[index])
        if self.backend.score == "factor":
            return factor
        bank = _factor(self.spread, self.spread[self.graph.index[:, : self.graph.k]])
        return self._probability(factor, np.full(len(factor), _rms(bank)))

    def without(self, clips: np.ndarray) -> np.ndarray:
        """(n,) exact factors or probabilities."""
        index, near = self.graph.without(clips, clips)
        _, second = self.graph.without(index, np.broadcast_to(clips[:, None], index.shape))
        factor = _factor(_rms(near), _rms(second))
        if self.backend.score == "factor":
            return factor
        return self._probability(factor, np.array([self._bank_without(clip) for clip in clips]))

    def _bank_without(self, clip: int) -> float:
        """Root mean square of PLOF over the other clips, when one is left out."""
        others = np.delete(np.arange(len(self.spread)), clip)
        index, near = self.graph.without(others, np.full(len(others), clip))
        spread = np.zeros(len(self.spread))
        spread[others] = _rms(near)
        return float(_rms(_factor(spread[others], spread[index])))

    def _probability(self, factor: np.ndarray, bank: np.ndarray) -> np.ndarray:
        scaled = factor / np.maximum(math.sqrt(2) * self.backend.extent * bank, GUARD)
        return np.array([max(0.0, math.erf(value)) for value in scaled])


def _rms(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(values).mean(axis=-1))


def _factor(spread: np.ndarray, of_neighbours: np.ndarray) -> np.ndarray:
    """PLOF from the spread of clips and the (..., k) spreads of their neighbours."""
    return spread / np.maximum(of_neighbours.mean(axis=-1), GUARD) - 1
