"""Gaussian mixture with diagonal covariances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from scipy.special import logsumexp

from asdflow.backends import register
from asdflow.backends._base import Backend, Fitted, require_size
from asdflow.geometry.clustering import kmeans
from asdflow.geometry.order import canonical_order
from asdflow.references.bank import Queries
from asdflow.references.references import References

#: Added to the weight of a component, as in scikit-learn: an empty one stays finite.
EMPTY = 10 * np.finfo(np.float64).eps


@register("gmm")
@dataclass(frozen=True)
class GMM(Backend):
    """Negative log-likelihood under a mixture of Gaussians with diagonal covariances.

    s(x) = -log sum_c w_c N(x; m_c, diag(v_c)), by expectation maximization from k-means clusters, until the
    mean log-likelihood grows by less than `tolerance`. `regularization` is added to every variance.

    Source: the field's baseline; 2 components and 1e-4 as in DACo. The iteration is that of scikit-learn's
    GaussianMixture(covariance_type="diag") started from the same clusters.

    Self-scores: the clip's share is taken out of each component's weight, mean and variance. That is exact
    for one component; with several, the shares of the other clips stay what they were.

    Degenerate input: constant features have variance `regularization`, which is absolute: embeddings much
    smaller than its root are not told apart. More components than clips are a ConfigError.
    """

    refuses: ClassVar[dict[str, str]] = {
        "reference": "it compares a clip with a density model, not with references",
        "source_means": "cluster centres have lost the spread within clusters that the variances describe",
        "memmixup": "the model would describe the mixtures, which outnumber the clips",
    }

    components: Annotated[int, Field(ge=1, description="Gaussians.")] = 2
    regularization: Annotated[float, Field(gt=0.0, description="Added to every variance.")] = 1e-4
    tolerance: Annotated[
        float, Field(gt=0.0, description="Growth of the mean log-likelihood that ends the iteration.")
    ] = 1e-3
    iterations: Annotated[int, Field(ge=1, description="Iterations at most.")] = 100

    def fit(self, references: References) -> Fitted:
        """Expectation maximization.

        scikit-learn's GaussianMixture from the same clusters gives the same model to 1e-14 in the same time,
        but not the shares of its last step, which self-scores are made of; its import takes a second, a
        machine's scores 0.3.
        """
        require_size("backend gmm", "components", self.components, references.size, "references in the bank")
        vectors = references.vectors
        order = canonical_order(vectors)
        vectors = vectors[order].astype(np.float64, copy=False)
        centre = vectors.mean(axis=0)
        vectors -= centre  # squares of what all share would swallow digits
        squares = np.square(vectors)
        share = np.eye(self.components)[self._clusters(references, order)]
        likelihood = -np.inf
        for _ in range(self.iterations):
            sums = Sums.of(share, vectors, squares)
            log = sums.mixture(self.regularization).log_densities(vectors, squares)
            total = logsumexp(log, axis=1)
            before, likelihood = likelihood, total.mean()
            share = np.exp(log - total[:, None])
            if abs(likelihood - before) < self.tolerance:
                break
        shares = np.empty_like(share)
        shares[order] = share
        return FittedGMM(self, references, centre, shares, Sums.of(share, vectors, squares))

    def _clusters(self, references: References, order: np.ndarray) -> np.ndarray:
        """(R,) labels of references in this order."""
        if self.components == 1:
            return np.zeros(references.size, dtype=np.int64)
        square = np.square(references.among(order)[0][:, order])
        return kmeans(square, self.components, ("gmm", self.components))


@dataclass(frozen=True)
class Mixture:
    """Parameters of the mixture.

    Attributes
    ----------
    weight : (C,) float64
    mean, variance : (C, D) float64
    """

    weight: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    def log_densities(self, vectors: np.ndarray, squares: np.ndarray) -> np.ndarray:
        """(M, C) logarithms of w_c N(x; m_c, v_c), of (M, D) vectors and their squares."""
        precision = 1.0 / self.variance
        away = squares @ precision.T - vectors @ (2 * self.mean * precision).T
        return self._log(away + (np.square(self.mean) * precision).sum(axis=1))

    def log_density(self, vector: np.ndarray) -> np.ndarray:
        """(C,) the same of one vector (D,)."""
        return self._log((np.square(vector - self.mean) / self.variance).sum(axis=1))

    def _log(self, away: np.ndarray) -> np.ndarray:
        """(..., C) from the squared distances in units of the variances."""
        constant = np.log(self.variance).sum(axis=1) + self.mean.shape[1] * np.log(2 * np.pi)
        return np.log(self.weight) - 0.5 * (away + constant)


@dataclass(frozen=True)
class Sums:
    """Sums over references of their shares (C,), and of shares times vectors and times squares (C, D)."""

    share: np.ndarray
    linear: np.ndarray
    square: np.ndarray

    @classmethod
    def of(cls, share: np.ndarray, vectors: np.ndarray, squares: np.ndarray) -> Sums:
        """Of (R, C) shares, (R, D) vectors and their squares."""
        return cls(share.sum(axis=0), share.T @ vectors, share.T @ squares)

    def less(self, other: Sums) -> Sums:
        """What remains without some of the references."""
        rest = np.maximum(self.share - other.share, 0.0)
        return Sums(rest, self.linear - other.linear, self.square - other.square)

    def mixture(self, regularization: float) -> Mixture:
        """Weights, means and variances."""
        weight = self.share + EMPTY
        mean = self.linear / weight[:, None]
        variance = np.maximum(self.square / weight[:, None] - np.square(mean), 0.0)
        return Mixture(weight / weight.sum(), mean, variance + regularization)


@dataclass(frozen=True)
class FittedGMM(Fitted):
    """The references, their last shares (R, C), and the sums of these; of vectors less `centre` (D,)."""

    backend: GMM
    references: References
    centre: np.ndarray
    share: np.ndarray
    sums: Sums

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) negative log-likelihoods."""
        mixture = self.sums.mixture(self.backend.regularization)
        vectors = queries.vectors - self.centre
        return -logsumexp(mixture.log_densities(vectors, np.square(vectors)), axis=1)

    def self_scores(self) -> np.ndarray:
        """(N,) negative log-likelihoods under the model less the shares of what is made of the clip."""
        vectors, owners = self.references.vectors, self.references.owners
        clips = self.references.bank.vectors
        log = np.empty((len(clips), self.backend.components))
        for clip in range(len(clips)):
            rows = np.flatnonzero((owners == clip).any(axis=1))
            own = vectors[rows] - self.centre
            left = self.sums.less(Sums.of(self.share[rows], own, np.square(own)))
            log[clip] = left.mixture(self.backend.regularization).log_density(clips[clip] - self.centre)
        return -logsumexp(log, axis=1)
