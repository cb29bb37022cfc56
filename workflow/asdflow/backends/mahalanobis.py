"""Mahalanobis distance with Ledoit-Wolf shrinkage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Backend, Fitted, require_both_domains
from asdflow.backends._shrinkage import Covariance, covariance, left_out
from asdflow.backends._spectrum import Spectrum, spectrum
from asdflow.bank import SOURCE, TARGET, Queries
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
    C^-1 acts as 1 / (rho tr(S) / D). Self-scores are exact: mean, covariance and rho are those without the clip.

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
            axes = references.bank.remember("spectrum", lambda: spectrum(references.vectors))
            return FittedPooled(axes, covariance(axes))
        require_both_domains("backend mahalanobis (selective)", references.domain)
        source = np.flatnonzero(references.domain == SOURCE)
        target = np.flatnonzero(references.domain == TARGET)
        vectors = references.vectors
        axes = references.bank.remember("source spectrum", lambda: spectrum(vectors[source]))
        mean = vectors[target].astype(np.float64).mean(axis=0)
        return FittedSelective(
            axes, covariance(axes), source, target, vectors[target].astype(np.float64), mean
        )


@dataclass(frozen=True)
class FittedPooled(Fitted):
    """Mean, axes and shrunk covariance."""

    axes: Spectrum
    covariance: Covariance

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) squared distances."""
        return self.covariance.squared_length(*self.axes.project(queries.vectors))

    def self_scores(self) -> np.ndarray:
        """(N,) exact: every estimate is made without the clip."""
        left = left_out(self.axes)
        return left.own_distance()


@dataclass(frozen=True)
class FittedSelective(Fitted):
    """Axes and covariance of the source, and the two means."""

    axes: Spectrum
    covariance: Covariance
    source: np.ndarray
    target: np.ndarray
    target_vectors: np.ndarray
    target_mean: np.ndarray

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) the smaller of the two squared distances."""
        return self.domain_scores(queries).min(axis=0)

    def self_scores(self) -> np.ndarray:
        """(N,) exact."""
        return self.domain_self_scores().min(axis=0)

    def domain_scores(self, queries: Queries) -> np.ndarray:
        """(2, M) squared distances to the source mean and to the target mean."""
        return np.stack([self._from(queries.vectors, mean) for mean in (self.axes.mean, self.target_mean)])

    def domain_self_scores(self) -> np.ndarray:
        """(2, N) exact: infinite to the target mean for the only target clip."""
        result = np.empty((2, len(self.source) + len(self.target)))
        left = left_out(self.axes)
        result[0, self.source] = left.own_distance()
        offset, beside = self._offset(self.target_mean)
        result[1, self.source] = left.distance_from(offset, beside)
        result[0, self.target] = self._from(self.target_vectors, self.axes.mean)
        number = len(self.target)
        away = self._from(self.target_vectors, self.target_mean)
        result[1, self.target] = away * (number / (number - 1)) ** 2 if number > 1 else np.inf
        return result

    def _offset(self, mean: np.ndarray) -> tuple[np.ndarray, float]:
        coordinates, beside = self.axes.project(mean[None])
        return coordinates[0], float(beside[0])

    def _from(self, vectors: np.ndarray, mean: np.ndarray) -> np.ndarray:
        shifted = vectors.astype(np.float64) - mean + self.axes.mean
        return self.covariance.squared_length(*self.axes.project(shifted))
