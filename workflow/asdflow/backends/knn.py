"""k nearest neighbours: mean distance to the closest normal clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Fitted, require_size
from asdflow.backends._neighbours import Metric, NeighbourBackend, mean_of_nearest
from asdflow.references.candidates import ByDomain, Candidates
from asdflow.references.indexes import IndexedClips, Kind


@register("knn")
@dataclass(frozen=True)
class KNN(NeighbourBackend):
    """Mean distance to the k nearest clips of the bank.

    s(x) = (1/k) sum over the k nearest y of d(x, y); d is (1 - cos) / 2 or the Euclidean distance.

    Source: the mean of k as in GenRep (arXiv 2409.05035) and ASDKit (arXiv 2507.10264). With ten target
    clips, a larger k costs the target domain.

    Degenerate input: an exact copy of a bank clip scores 0 with k = 1. Copies in the bank count as often as
    they occur. k larger than the bank is a ConfigError; k equal to it leaves no self-scores.
    """

    k: Annotated[int, Field(ge=1, description="Neighbours averaged.")] = 1
    metric: Metric = "cosine"
    index: Annotated[
        Kind,
        Field(
            description="'exact' compares with every clip; 'faiss' and 'faiss_ivf' search by an index, the "
            "latter approximately (need the extra `faiss`)."
        ),
    ] = "exact"
    probes: Annotated[
        int, Field(ge=1, description="Lists of 256 clips that `index: faiss_ivf` looks at.")
    ] = 16

    @property
    def refuses(self) -> dict[str, str]:
        """An index holds the clips themselves."""
        if self.index == "exact":
            return {}
        reason = "an index finds the clips that are near, not the references that are after a change"
        return {"reference": reason, "bank": reason}

    @property
    def libraries(self) -> tuple[str, ...]:
        """That of the index, if there is one."""
        return () if self.index == "exact" else ("faiss-cpu",)

    @property
    def metrics(self) -> tuple[str, ...]:
        """An index makes no use of distances that are known."""
        return super().metrics if self.index == "exact" else ()

    def fit(self, references: Candidates) -> Fitted:
        """Keep the references, behind an index on request."""
        if self.index != "exact":
            references = IndexedClips(references.bank, self.metric, self.index, self.probes)
        return super().fit(references)

    def check(self, references: Candidates) -> None:
        """k must not exceed the bank."""
        require_size("backend knn", "k", self.k, references.size, "references in the bank")

    @property
    def neighbours(self) -> int:
        """k."""
        return self.k

    def reduce(self, nearest: ByDomain) -> np.ndarray:
        """Mean of the k smallest."""
        return mean_of_nearest(nearest, self.k, "backend knn")
