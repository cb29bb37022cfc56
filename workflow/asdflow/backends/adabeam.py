"""Band-wise nearest neighbours of mean and of maximum, weighted by how much a clip changes over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import require_size
from asdflow.backends._neighbours import Bands, Metric, NeighbourBackend, mean_of_nearest
from asdflow.geometry.linear import blocks
from asdflow.geometry.space import Space
from asdflow.references.bank import Embedded
from asdflow.references.candidates import ByDomain, Candidates


@register("adabeam")
@dataclass(frozen=True)
class AdaBEAM(NeighbourBackend):
    """An interpretation of AdaBEAM: band scores of mean-pooled and max-pooled vectors, mixed for each clip.

    With m_b and M_b the mean and the maximum over time of band b, and beam scores s_mean and s_max of each,
        s(x) = (1 - w) s_mean + w s_max,   w = mean over b of |M_b - m_b| / (|M_b - m_b| + |m_b|).
    w is 0 for a clip whose frames are all alike and nears 1 for one made of rare events; it has no parameter
    and does not change when the clip is scaled.

    Source: Saengthong & Shinozaki (arXiv 2603.13749) describe a parameter-free adaptive fusion by temporal
    dynamics; this formula for w is ours.

    The embedding must hold mean and maximum of every band: pooling `statistics` with `parts: [mean, max]`.

    Degenerate input: 2 * bands must divide the dimensions (ConfigError); a band of zeros has w = 0.
    """

    bands: Bands
    k: Annotated[int, Field(ge=1, description="Neighbours averaged in each band.")] = 1
    metric: Metric = "cosine"

    @property
    def compares_in(self) -> Space:
        """The metric, in mean and maximum of each band."""
        return Space(self.metric, 2 * self.bands)

    def check(self, references: Candidates) -> None:
        """k must not exceed the bank."""
        require_size("backend adabeam", "k", self.k, references.size, "references in the bank")

    @property
    def neighbours(self) -> int:
        """k."""
        return self.k

    def reduce(self, nearest: ByDomain) -> np.ndarray:
        """Mean of the k smallest in each segment."""
        return mean_of_nearest(nearest, self.k, "backend adabeam")

    def combine(self, scores: np.ndarray, clips: Embedded) -> np.ndarray:
        """(..., 2 bands, M) scores, of mean and maximum by turns, to (..., M)."""
        weight = self._weight(clips)
        of_mean, of_maximum = (scores[..., part::2, :].mean(axis=-2) for part in (0, 1))
        return (1 - weight) * of_mean + weight * of_maximum

    def _weight(self, clips: Embedded) -> np.ndarray:
        """(M,) share of the maximum."""
        result, width = np.empty(clips.size), clips.dimensions // (2 * self.bands)
        for rows in blocks(clips.size):
            halves = clips.vectors[rows].astype(np.float64).reshape(-1, self.bands, 2, width)
            mean, peak = halves[:, :, 0], halves[:, :, 1]
            change, level = (np.sqrt(np.einsum("mbd,mbd->mb", part, part)) for part in (peak - mean, mean))
            whole = change + level
            share = np.where(whole > 0, change / np.where(whole > 0, whole, 1.0), 0.0)
            result[rows] = share.mean(axis=1)
        return result
