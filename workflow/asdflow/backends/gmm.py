"""Gaussian mixture with diagonal covariances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Backend, Fitted, require_size
from asdflow.bank import Queries
from asdflow.clustering import canonical_order, kmeans
from asdflow.linear import product
from asdflow.references import NOBODY, References

#: Values of one batch of leave-one-out parameters.
BATCH = 2**21


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
        """Expectation maximization."""
        require_size("backend gmm", "components", self.components, references.size, "references in the bank")
        vectors = references.vectors.astype(np.float64)
        order = canonical_order(vectors)
        vectors = vectors[order]
        centre = vectors.mean(axis=0)
        both = _with_squares(vectors - centre)
        if self.components == 1:
            share = np.ones((len(vectors), 1))
        else:
            square = np.square(references.between("euclidean", 1)[0][np.ix_(order, order)])
            labels = kmeans(square, self.components, ("gmm", self.components))
            share = (labels[:, None] == np.arange(self.components)).astype(np.float64)
        likelihood = -np.inf
        for _ in range(self.iterations):
            sums = share.T @ both
            model = Model.of(share.sum(axis=0), sums, self.regularization)
            log = model.log_likelihoods(both)
            total = _log_sum(log)
            before, likelihood = likelihood, total.mean()
            share = np.exp(log - total[:, None])
            if abs(likelihood - before) < self.tolerance:
                break
        weight, sums = share.sum(axis=0), share.T @ both
        back = np.argsort(order)
        return FittedGMM(self, references, centre, both[back], share[back], weight, sums)


@dataclass(frozen=True)
class Model:
    """Parameters of the mixture, of centred vectors.

    Attributes
    ----------
    weight : (C,) float64
    mean, variance : (C, D) float64
    """

    weight: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    @classmethod
    def of(cls, weight: np.ndarray, sums: np.ndarray, regularization: float) -> Model:
        """From (C,) sums of shares and (C, 2 D) sums of shares times vectors and their squares."""
        weight = weight + 10 * np.finfo(np.float64).eps  # as scikit-learn: an empty component stays finite
        mean, square = np.split(sums / weight[:, None], 2, axis=1)
        return cls(weight / weight.sum(), mean, np.maximum(square - mean**2, 0.0) + regularization)

    def log_likelihoods(self, both: np.ndarray) -> np.ndarray:
        """(M, C) logarithms of w_c N(x; m_c, v_c), from (M, 2 D) vectors and their squares."""
        precision = 1.0 / self.variance
        linear = product(both, np.concatenate([-2 * self.mean * precision, precision], axis=1), threads=1)
        constant = (self.mean**2 * precision).sum(axis=1) + np.log(self.variance).sum(axis=1)
        constant += self.mean.shape[1] * np.log(2 * np.pi)
        return np.log(self.weight) - 0.5 * (linear + constant)


@dataclass(frozen=True)
class FittedGMM(Fitted):
    """The last shares of the clips and what they sum to."""

    backend: GMM
    references: References
    centre: np.ndarray
    both: np.ndarray
    share: np.ndarray
    weight: np.ndarray
    sums: np.ndarray

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) negative log-likelihoods."""
        model = Model.of(self.weight, self.sums, self.backend.regularization)
        both = _with_squares(queries.vectors.astype(np.float64) - self.centre)
        return -_log_sum(model.log_likelihoods(both))

    def self_scores(self) -> np.ndarray:
        """(N,) negative log-likelihoods under the model less the clip's own shares."""
        bank = self.references.bank
        clips = _with_squares(bank.vectors.astype(np.float64) - self.centre)
        owners = self.references.owners
        step = max(1, BATCH // self.sums.size)
        parts = []
        for start in range(0, bank.size, step):
            numbers = np.arange(start, min(start + step, bank.size))
            weight = np.repeat(self.weight[None], len(numbers), axis=0)
            sums = np.repeat(self.sums[None], len(numbers), axis=0)
            for owner in owners.T:
                rows = np.flatnonzero((owner != NOBODY) & (owner >= start) & (owner <= numbers[-1]))
                np.subtract.at(weight, owner[rows] - start, self.share[rows])
                np.subtract.at(
                    sums, owner[rows] - start, self.share[rows, :, None] * self.both[rows, None, :]
                )
            parts.append(self._scores_without(clips[numbers], np.maximum(weight, 0.0), sums))
        return np.concatenate(parts)

    def _scores_without(self, both: np.ndarray, weight: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """(n,) scores of clips, each under its own (n, C) weights and (n, C, 2 D) sums."""
        weight = weight + 10 * np.finfo(np.float64).eps
        mean, square = np.split(sums / weight[:, :, None], 2, axis=2)
        variance = np.maximum(square - mean**2, 0.0) + self.backend.regularization
        x = both[:, None, : mean.shape[2]]
        terms = np.square(x - mean) / variance + np.log(variance)
        log = np.log(weight / weight.sum(axis=1, keepdims=True))
        log = log - 0.5 * (terms.sum(axis=2) + mean.shape[2] * np.log(2 * np.pi))
        return -_log_sum(log)


def _with_squares(vectors: np.ndarray) -> np.ndarray:
    """(M, 2 D): vectors and their squares side by side."""
    return np.concatenate([vectors, np.square(vectors)], axis=1)


def _log_sum(log: np.ndarray) -> np.ndarray:
    """Logarithm of the sum of exponentials along the last axis."""
    largest = log.max(axis=-1, keepdims=True)
    return (largest + np.log(np.exp(log - largest).sum(axis=-1, keepdims=True)))[..., 0]
