"""Mahalanobis distance with Ledoit-Wolf shrinkage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Backend, Fitted, require_both_domains
from asdflow.covariance.axes import Spectrum, of_references, spectrum
from asdflow.covariance.points import Points
from asdflow.covariance.shrinkage import Covariance, covariance, left_out, own_distances
from asdflow.references.bank import SOURCE, TARGET, Bank, Queries
from asdflow.references.mixtures import plain
from asdflow.references.references import References, of_bank

#: Target clips that are taken out of the axes of a bank, at most; beyond, the source clips have their own.
FEW = 32
#: Least share of a variance that may be left where target clips are taken out: as many digits are lost.
MARGIN = 1e-4


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
            axes = of_references(references)
            return FittedPooled(axes, covariance(axes), references)
        require_both_domains("backend mahalanobis (selective)", references.domain)
        bank = references.bank
        source = np.flatnonzero(bank.domain == SOURCE)
        axes = bank.remember("source spectrum", lambda: _of_source(bank, source))
        target = np.flatnonzero(references.domain == TARGET)
        recipe = plain(references).take(target)
        return FittedSelective(
            bank, axes, covariance(axes), Means(bank, recipe.matrix(bank.size), recipe.owners)
        )


def _of_source(bank: Bank, source: np.ndarray) -> Spectrum:
    """Axes of the source clips: those of the bank less its few target clips, where no digits are lost so."""
    if bank.size - len(source) <= FEW:
        axes = of_references(of_bank(bank)).part(source)
        if covariance(axes).margin > MARGIN:
            return axes
    return spectrum(bank, source)


@dataclass(frozen=True)
class Means:
    """Means of the target references, all of them or those that remain without a clip, by their weights.

    Attributes
    ----------
    bank : Bank
    weights : (T, N) float64
        Of the clips in each target reference.
    owners : (T, P) int
    """

    bank: Bank
    weights: np.ndarray
    owners: np.ndarray

    def full(self) -> np.ndarray:
        """(1, N) weights of the clips in the mean of all."""
        return self.weights.mean(axis=0, keepdims=True)

    def without(self, clips: np.ndarray) -> np.ndarray:
        """(n, N) weights of the clips in the mean that remains without each of these; 0 where none does."""
        kept = np.array([~(self.owners == clip).any(axis=1) for clip in clips], dtype=np.float64)
        return kept @ self.weights / np.maximum(kept.sum(axis=1, keepdims=True), 1)


@dataclass(frozen=True)
class FittedPooled(Fitted):
    """Axes and shrunk covariance of the references."""

    axes: Spectrum
    covariance: Covariance
    references: References

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) squared distances."""
        points = Points(self.references.bank, queries)
        return self.covariance.squared_length(*self.axes.project(points))

    def self_scores(self) -> np.ndarray:
        """(N,) exact: every estimate is made without the clip."""
        return own_distances(self.axes, self.references.owners, self.references.bank.size)


@dataclass(frozen=True)
class FittedSelective(Fitted):
    """Axes and covariance of the source clips, and the means of the target references."""

    bank: Bank
    axes: Spectrum
    covariance: Covariance
    target: Means

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) the smaller of the two squared distances."""
        return self.domain_scores(queries).min(axis=0)

    def self_scores(self) -> np.ndarray:
        """(N,) exact."""
        return self.domain_self_scores().min(axis=0)

    def domain_scores(self, queries: Queries) -> np.ndarray:
        """(2, M) squared distances to the source mean and to the target mean."""
        points = Points(self.bank, queries)
        along, beside = self.axes.project(points)
        to_source = self.covariance.squared_length(along, beside)
        mean, offset, _ = self._full_mean
        return np.stack([to_source, self._from(points, along, mean, offset)])

    @cached_property
    def _full_mean(self) -> tuple[Points, np.ndarray, np.ndarray]:
        """Mean of all target references, its (1, r) coordinates, its (1,) squared distance from the span."""
        mean = Points(self.bank, weights=self.target.full())
        return mean, *self.axes.project(mean)

    def domain_self_scores(self) -> np.ndarray:
        """(2, N) exact: infinite to the target mean for the only target clip."""
        source, target = (np.flatnonzero(self.bank.domain == one) for one in (SOURCE, TARGET))
        clips = Points(self.bank, weights=np.eye(self.bank.size)[target])
        means = Points(self.bank, weights=self.target.without(target))
        left_alone = ~means.weights.any(axis=1)
        along, beside = self.axes.project(clips)
        _, to_mean, off_mean = self._full_mean
        left = left_out(self.axes)
        result = np.empty((2, self.bank.size))
        result[0, source] = left.own_distance()
        result[1, source] = left.distance_from(to_mean[0], float(off_mean[0]))
        result[0, target] = self.covariance.squared_length(along, beside)
        result[1, target] = self._from(clips, along, means, self.axes.project(means)[0])
        result[1, target[left_alone]] = np.inf
        return result

    def _from(self, points: Points, along: np.ndarray, means: Points, offset: np.ndarray) -> np.ndarray:
        """(M,) squared Mahalanobis lengths of points from means (one each or one), both projected."""
        away = along - offset
        if self.axes.full:
            return self.covariance.squared_length(away, np.zeros(len(away)))
        lost = points.square_from(means) - np.square(away).sum(axis=1)
        return self.covariance.squared_length(away, np.maximum(lost, 0.0))
