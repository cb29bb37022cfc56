"""Density ratio: each distance relative to how far the reference lies from its own neighbours."""

from __future__ import annotations

from dataclasses import dataclass

from asdflow.normalizations import register
from asdflow.normalizations._density import Decay, Duplicates, HeldOut, Neighbours, WeightedDensity


@register("density_ratio")
@dataclass(frozen=True)
class DensityRatio(WeightedDensity):
    """Local density normalization, as a ratio.

    s(x) = min over y of d(x, y) / rho(y), rho(y) the mean distance from y to its k nearest other references,
    or with r the mean weighted by r^(rank - 1) over all of them. A reference is chosen after the division,
    which is what distinguishes it from LOF. k > 1 of a kNN backend averages the k smallest ratios.

    Source: Wilkinghoff et al., "Keeping the Balance" (ICASSP 2025) and "Local Density-Based Anomaly Score
    Normalization" (IEEE TASLP 33, 2025, arXiv 2509.10951). The second recommends k = 1 unless more is known.

    Degenerate input: copies in the bank would have density 0. By default a set of exact copies is one
    reference (`duplicates`), so repeating a bank clip changes no score; a copy of a bank clip scores 0. A
    bank of copies of one clip is a DataError. Self-scores use the densities that remain when the clip is left
    out; where k reaches all others, those are fewer by one.
    """

    k: Neighbours = None
    r: Decay = None
    duplicates: Duplicates = "distinct"
    self_density: HeldOut = "held_out"
