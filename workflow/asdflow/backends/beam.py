"""Band-wise nearest neighbours: every frequency band finds its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import require_size
from asdflow.backends._neighbours import Bands, Metric, NeighbourBackend, mean_of_nearest
from asdflow.references.candidates import ByDomain, Candidates


@register("beam")
@dataclass(frozen=True)
class BEAM(NeighbourBackend):
    """Nearest neighbours band by band, averaged over bands.

    s(x) = mean over bands b of the mean distance of x_b to its k nearest among the bank's vectors of band b.
    Each band has its own neighbours, and counts alike however much energy it has.

    Source: Saengthong & Shinozaki, "Sub-Band Spectral Matching with Localized Score Aggregation"
    (arXiv 2603.13749). The embedding must keep the bands apart (pooling option `bands: keep`).

    Degenerate input: `bands` must divide the dimensions (ConfigError); otherwise as knn.
    """

    bands: Bands
    k: Annotated[int, Field(ge=1, description="Neighbours averaged in each band.")] = 1
    metric: Metric = "cosine"

    def check(self, references: Candidates) -> None:
        """k must not exceed the bank."""
        require_size("backend beam", "k", self.k, references.size, "references in the bank")

    @property
    def neighbours(self) -> int:
        """k."""
        return self.k

    def reduce(self, nearest: ByDomain) -> np.ndarray:
        """Mean of the k smallest in each band."""
        return mean_of_nearest(nearest, self.k, "backend beam")
