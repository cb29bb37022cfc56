"""Cluster exit detection: a density that stops before the neighbourhood leaves its cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.normalizations import register
from asdflow.normalizations._density import DensityNormalization, Duplicates, HeldOut
from asdflow.references.density import MEAN, Density, NeighbourDensity, looked_up, require_others
from asdflow.references.references import References


@register("cluster_exit")
@dataclass(frozen=True)
class ClusterExit(DensityNormalization):
    """Local density normalization with a neighbourhood that ends where the distances jump.

    With d_1 <= ... <= d_k the distances from y to its nearest other references, rho(y) is the mean of those
    before the first jump: of d_1 .. d_j for the smallest j with d_(j+1) / d_j > t, of all k where there is
    none. t is the given percentile of all these ratios, over all references.

    Source: Wilkinghoff et al., "Mind the Gap: Detecting Cluster Exits" (arXiv 2602.18777). Statistic and
    percentile are an interpretation, of "distance discontinuities" and "a fixed percentile".

    Self-scores: neighbours are those without the clip, t is that of all references. A clip moves t by a few
    places among thousands of ratios: of 1,000 self-scores, 3 were others with an exact t, and their mean by
    7e-5.

    Degenerate input: as density_ratio.
    """

    k: Annotated[int, Field(ge=2, description="Nearest other references looked at, at most.")] = 16
    percentile: Annotated[
        float,
        Field(ge=0.0, le=100.0, description="Jumps above this percentile of all jumps end a neighbourhood."),
    ] = 95.0
    form: Annotated[
        Literal["ratio", "difference"], Field(description="Divide by the density, or subtract it.")
    ] = "ratio"
    duplicates: Duplicates = "distinct"
    self_density: HeldOut = "held_out"

    @property
    def divides(self) -> bool:
        """As `form` says."""
        return self.form == "ratio"

    def count(self, references: References) -> int:
        """k."""
        return self.k

    def density(self, references: References) -> Density:
        """Density up to the first jump."""
        where = f"normalization {self.name}"
        require_others(references, self.k, where, "k")
        near = references.neighbours(looked_up(self.k, references)).first(self.k).distance
        threshold = np.percentile(jumps(near), self.percentile, axis=(1, 2))
        return NeighbourDensity(references, UpToJump(threshold), self.k, where, "k")


@dataclass(frozen=True)
class UpToJump:
    """Mean distance before the first jump above the threshold (bands,) of the band."""

    threshold: np.ndarray

    def full(self, ascending: np.ndarray, band: int | None = None) -> np.ndarray:
        """Densities of ascending distances; without `band` the first axis is all bands."""
        threshold = self.threshold if band is None else self.threshold[[band]]
        threshold = threshold.reshape(-1, *[1] * (ascending.ndim - 1))
        ended = np.logical_or.accumulate(jumps(ascending) > threshold, axis=-1)
        before = ascending.copy()
        before[..., 1:][ended] = np.inf
        return MEAN.full(before)

    def dropped(self, ascending: np.ndarray, count: int) -> np.ndarray:
        """(bands, R, count) densities of `count` distances without each of them in turn."""
        near = ascending[..., : count + 1]
        return np.stack([self.full(np.delete(near, place, axis=-1)) for place in range(count)], axis=-1)


def jumps(ascending: np.ndarray) -> np.ndarray:
    """(..., k - 1) ratios of consecutive distances; 1 between copies and beyond the last neighbour.

    From a copy to another reference it is the largest number there is: none is larger, and percentiles stay
    numbers.
    """
    near, far = ascending[..., :-1], ascending[..., 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(np.isinf(far) | (far == near), 1.0, far / near)
    return np.minimum(ratio, np.finfo(np.float64).max)
