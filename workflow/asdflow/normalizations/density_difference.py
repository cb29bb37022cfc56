"""Density difference: each distance less how far the reference lies from its own neighbours."""

from __future__ import annotations

from dataclasses import dataclass

from asdflow.normalizations import register
from asdflow.normalizations._density import Decay, Duplicates, HeldOut, Neighbours, WeightedDensity


@register("density_difference")
@dataclass(frozen=True)
class DensityDifference(WeightedDensity):
    """Local density normalization, as a difference.

    s(x) = min over y of d(x, y) - rho(y), rho(y) the mean distance from y to its k nearest other references,
    or with r the mean weighted by r^(rank - 1) over all of them. A mean and not a sum: with the sum the
    difference loses its sense as k grows. Scores may be negative.

    Source: Wilkinghoff et al., "Local Density-Based Anomaly Score Normalization" (IEEE TASLP 33, 2025,
    arXiv 2509.10951).

    Degenerate input: as density_ratio; a set of exact copies is one reference (`duplicates`).
    """

    k: Neighbours = None
    r: Decay = None
    duplicates: Duplicates = "distinct"
    self_density: HeldOut = "held_out"

    @property
    def divides(self) -> bool:
        """No."""
        return False
