"""Mahalanobis distance with Ledoit-Wolf shrinkage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Backend, Fitted, require_both_domains
from asdflow.covariance.axes import (
    Spectrum,
    axes_of_clips,
    owning_several,
    principal_axes,
    source_axes,
    turned,
)
from asdflow.covariance.shrinkage import Covariance, covariance, distance_without, left_out
from asdflow.references.bank import SOURCE, TARGET, Queries
from asdflow.references.references import References


@register("mahalanobis")
@dataclass(frozen=True)
class Mahalanobis(Backend):
    """Squared Mahalanobis distance to the bank, covariance shrunk by Ledoit and Wolf.

    s(x) = (x - m)^T C^-1 (x - m), C = (1 - rho) S + rho tr(S) / D I, S the sample covariance (divisor N).

    variant "pooled": m and S over the whole bank. "selective": S over the source clips, the smaller of the
    distances to the source mean and to the target mean; ten target clips do not carry a covariance.

    Source: Ledoit & Wolf, J. Multivariate Analysis 88 (2004), for rho; selective as in the DCASE baseline
    (arXiv 2303.00455). Squared, as scikit-learn's `LedoitWolf.mahalanobis`.

    Computed in the principal axes of the bank, from its Gram matrix where N < D: off the span of the bank
    C^-1 acts as 1 / (rho tr(S) / D). Self-scores are exact: mean, covariance and rho are those without the
    clip.

    Degenerate input: constant features are harmless. Where shrinkage gives nothing to invert (two clips, or
    all clips alike) a DataError is raised. "selective" needs both domains (ConfigError); with one target clip
    the self-score of that clip is its distance to the source mean.
    """

    variant: Annotated[
        Literal["pooled", "selective"],
        Field(description="One mean and covariance, or the source's covariance and the nearer domain mean."),
    ] = "pooled"

    refuses: ClassVar[dict[str, str]] = {
        "reference": "it compares a clip with a mean, not with references that have a density",
        "source_means": "cluster centres have lost the spread that a covariance describes",
        "memmixup": "a covariance would describe the mixtures, which outnumber the clips",
    }

    @property
    def needs_domains(self) -> bool:
        """The selective variant does."""
        return self.variant == "selective"

    @property
    def by_domain(self) -> bool:
        """The selective variant has one score for each domain mean."""
        return self.variant == "selective"

    def fit(self, references: References) -> Fitted:
        """Estimate mean and covariance."""
        if self.variant == "pooled":
            axes = principal_axes(references)
            return FittedPooled(axes, covariance(axes), references)
        require_both_domains("backend mahalanobis (selective)", references.domain)
        bank = references.bank
        clips, source = axes_of_clips(bank), source_axes(bank)
        recipe = references.recipe.take(np.flatnonzero(references.domain == TARGET))
        target = Target(recipe.matrix(bank.size) @ clips.coordinates, recipe.owners)
        return FittedSelective(clips, source, covariance(source), bank.domain, target)


@dataclass(frozen=True)
class FittedPooled(Fitted):
    """Axes and shrunk covariance of the references."""

    axes: Spectrum
    covariance: Covariance
    references: References

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) squared distances."""
        return self.covariance.squared_length(*self.axes.project(queries))

    def self_scores(self) -> np.ndarray:
        """(N,) exact: every estimate is made without the clip.

        A clip that is one reference is an update of rank one. One that several are made of is a plain refit:
        there are few of them, the target clips of SMOTE.
        """
        clips = self.references.bank.size
        result = left_out(self.axes, clips).own_distance()
        for clip, rows in owning_several(self.references):
            result[clip] = distance_without(self.axes, rows, self.axes.coordinates[clip])
        return result


@dataclass(frozen=True)
class Target:
    """The target references.

    Attributes
    ----------
    points : (T, r) float64
        In the axes of the bank.
    owners : (T, P) int
    """

    points: np.ndarray
    owners: np.ndarray

    def means_without(self, clips: np.ndarray) -> np.ndarray:
        """(n, r) means of those that remain without each of these clips; infinite where none does."""
        result = np.full((len(clips), self.points.shape[1]), np.inf)
        for row, clip in enumerate(clips):
            kept = ~(self.owners == clip).any(axis=1)
            if kept.any():
                result[row] = self.points[kept].mean(axis=0)
        return result


@dataclass(frozen=True)
class FittedSelective(Fitted):
    """Axes of the bank, axes and covariance of its source clips within them, and the target references."""

    clips: Spectrum
    source: Spectrum
    covariance: Covariance
    domain: np.ndarray
    target: Target

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) the smaller of the two squared distances."""
        return self.domain_scores(queries).min(axis=0)

    def self_scores(self) -> np.ndarray:
        """(N,) exact."""
        return self.domain_self_scores().min(axis=0)

    def domain_scores(self, queries: Queries) -> np.ndarray:
        """(2, M) squared distances to the source mean and to the target mean."""
        points, beside = self.clips.project(queries)
        means = self.source.project.mean, self.target.points.mean(axis=0)
        return np.stack([self._squared_length(points - mean, beside) for mean in means])

    def domain_self_scores(self) -> np.ndarray:
        """(2, N) exact: infinite to the target mean for the only target clip."""
        source, target = (np.flatnonzero(self.domain == one) for one in (SOURCE, TARGET))
        source_mean, target_mean = self.source.project.mean, self.target.points.mean(axis=0)
        offset, lost = turned((target_mean - source_mean)[None], self.source.project.axes)
        left = left_out(self.source)
        result = np.full((2, len(self.domain)), np.inf)
        result[0, source] = left.own_distance()
        result[1, source] = left.distance_from(offset[0], float(lost[0]))
        result[0, target] = self._squared_length(self.clips.coordinates[target] - source_mean)
        means = self.target.means_without(target)
        others = np.isfinite(means).all(axis=1)
        away = self.clips.coordinates[target[others]] - means[others]
        result[1, target[others]] = self._squared_length(away)
        return result

    def _squared_length(self, away: np.ndarray, beside: np.ndarray | float = 0.0) -> np.ndarray:
        """(M,) squared Mahalanobis lengths of (M, r) vectors in the axes of the bank and what lies beside."""
        along, lost = turned(away, self.source.project.axes)
        return self.covariance.squared_length(along, lost + beside)
