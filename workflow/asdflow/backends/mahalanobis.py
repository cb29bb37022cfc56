"""Mahalanobis distance with Ledoit-Wolf shrinkage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Backend, Fitted, require_both_domains
from asdflow.backends._shrinkage import Covariance, covariance, left_out, own_distances
from asdflow.backends._spectrum import Spectrum, of_references, spectrum
from asdflow.bank import SOURCE, TARGET, Bank, Queries
from asdflow.references import References


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
        axes = bank.remember("source spectrum", lambda: spectrum(bank.vectors[source]))
        target = np.flatnonzero(references.domain == TARGET)
        of_target = references.vectors[target].astype(np.float64)
        return FittedSelective(bank, axes, covariance(axes), of_target, references.owners[target])


@dataclass(frozen=True)
class FittedPooled(Fitted):
    """Axes and shrunk covariance of the references."""

    axes: Spectrum
    covariance: Covariance
    references: References

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) squared distances."""
        return self.covariance.squared_length(*self.axes.project(queries.vectors))

    def self_scores(self) -> np.ndarray:
        """(N,) exact: every estimate is made without the clip."""
        return own_distances(self.axes, self.references.owners, self.references.bank.size)


@dataclass(frozen=True)
class FittedSelective(Fitted):
    """Axes and covariance of the source clips, and the target references with their owners."""

    bank: Bank
    axes: Spectrum
    covariance: Covariance
    target: np.ndarray
    owners: np.ndarray

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) the smaller of the two squared distances."""
        return self.domain_scores(queries).min(axis=0)

    def self_scores(self) -> np.ndarray:
        """(N,) exact."""
        return self.domain_self_scores().min(axis=0)

    def domain_scores(self, queries: Queries) -> np.ndarray:
        """(2, M) squared distances to the source mean and to the target mean."""
        along, beside = self.axes.project(queries.vectors)
        return np.stack(
            [
                self.covariance.squared_length(along, beside),
                self._from(queries.vectors, along, beside, self.target.mean(axis=0)),
            ]
        )

    def domain_self_scores(self) -> np.ndarray:
        """(2, N) exact: infinite to the target mean for the only target clip."""
        source, target = (np.flatnonzero(self.bank.domain == one) for one in (SOURCE, TARGET))
        result = np.empty((2, self.bank.size))
        left = left_out(self.axes)
        mean = self.target.mean(axis=0)
        offset, off_span = self.axes.project(mean[None])
        result[0, source] = left.own_distance()
        result[1, source] = left.distance_from(offset[0], float(off_span[0]))
        vectors = self.bank.vectors[target].astype(np.float64)
        along, beside = self.axes.project(vectors)
        result[0, target] = self.covariance.squared_length(along, beside)
        for place, clip in enumerate(target):
            kept = ~(self.owners == clip).any(axis=1)
            result[1, clip] = np.inf
            if kept.any():
                part = slice(place, place + 1)
                mean = self.target[kept].mean(axis=0)
                result[1, clip] = self._from(vectors[part], along[part], beside[part], mean)[0]
        return result

    def _from(
        self, vectors: np.ndarray, along: np.ndarray, beside: np.ndarray, mean: np.ndarray
    ) -> np.ndarray:
        """Squared Mahalanobis lengths of (M, D) vectors, given projected as well, from another mean."""
        offset, _ = self.axes.project(mean[None])
        away = along - offset
        if self.axes.full:
            return self.covariance.squared_length(away, np.zeros(len(away)))
        lost = np.square(vectors.astype(np.float64) - mean).sum(axis=1) - np.square(away).sum(axis=1)
        return self.covariance.squared_length(away, np.maximum(lost, 0.0))
