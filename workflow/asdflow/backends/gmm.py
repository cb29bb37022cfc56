"""Gaussian mixture with diagonal covariances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Backend, Fitted, require_size
from asdflow.bank import Queries
from asdflow.clustering import canonical_order, kmeans
from asdflow.linear import product
from asdflow.references import References

#: Values of one batch of leave-one-out parameters.
BATCH = 2**19
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
        """Expectation maximization."""
        require_size("backend gmm", "components", self.components, references.size, "references in the bank")
        vectors = references.vectors
        order = canonical_order(vectors)
        vectors = vectors[order].astype(np.float64)
        centre = vectors.mean(axis=0)
        vectors -= centre
        if self.components == 1:
            share = np.ones((len(vectors), 1))
        else:
            square = np.square(references.between("euclidean", 1)[0][np.ix_(order, order)])
            labels = kmeans(square, self.components, ("gmm", self.components))
            share = (labels[:, None] == np.arange(self.components)).astype(np.float64)
        likelihood = -np.inf
        for _ in range(self.iterations):
            model = Model.of(share.sum(axis=0), _moments(share, vectors), self.regularization)
            log = model.log_likelihoods(vectors)
            total = _log_sum(log)
            before, likelihood = likelihood, total.mean()
            share = np.exp(log - total[:, None])
            if abs(likelihood - before) < self.tolerance:
                break
        weight, sums = share.sum(axis=0), _moments(share, vectors)
        back = np.argsort(order)
        return FittedGMM(self, references, centre, vectors[back], share[back], weight, sums)


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
        weight = weight + EMPTY
        mean, square = np.split(sums / weight[:, None], 2, axis=1)
        return cls(weight / weight.sum(), mean, np.maximum(square - mean**2, 0.0) + regularization)

    def log_likelihoods(self, vectors: np.ndarray) -> np.ndarray:
        """(M, C) logarithms of w_c N(x; m_c, v_c) of (M, D) centred vectors."""
        precision = 1.0 / self.variance
        linear = product(vectors, -2 * self.mean * precision, threads=1)
        for rows in _batches(vectors):
            linear[rows] += product(np.square(vectors[rows]), precision, threads=1)
        constant = (self.mean**2 * precision).sum(axis=1) + np.log(self.variance).sum(axis=1)
        constant += self.mean.shape[1] * np.log(2 * np.pi)
        return np.log(self.weight) - 0.5 * (linear + constant)


@dataclass(frozen=True)
class FittedGMM(Fitted):
    """The centred references, their last shares and what these sum to."""

    backend: GMM
    references: References
    centre: np.ndarray
    vectors: np.ndarray
    share: np.ndarray
    weight: np.ndarray
    sums: np.ndarray

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) negative log-likelihoods."""
        model = Model.of(self.weight, self.sums, self.backend.regularization)
        return -_log_sum(model.log_likelihoods(queries.vectors.astype(np.float64) - self.centre))

    def self_scores(self) -> np.ndarray:
        """(N,) negative log-likelihoods under the model less the clip's own shares."""
        bank, references = self.references.bank, self.references
        clips = bank.vectors.astype(np.float64)
        clips -= self.centre
        model = Model.of(self.weight, self.sums, self.backend.regularization)
        log = model.log_likelihoods(clips) - np.log(model.weight)  # of each component by itself
        weight = np.tile(self.weight, (bank.size, 1))
        place, reference = references.owned_by(np.arange(bank.size))
        np.subtract.at(weight, place, self.share[reference])
        weight = np.maximum(weight, 0.0) + EMPTY
        single = np.bincount(place, minlength=bank.size) == 1
        owned = np.zeros(bank.size, dtype=np.int64)
        owned[place] = reference
        for component in range(self.backend.components):
            # A component that a clip has no share in stays what it is.
            some = np.flatnonzero(single & (self.share[owned, component] > 0))
            for rows in np.array_split(some, max(1, some.size * clips.shape[1] // BATCH)):
                gone = self.share[owned[rows], component, None] * _with_squares(self.vectors[owned[rows]])
                log[rows, component] = self._alone(clips[rows], weight[rows, component], component, gone)
            for clip in np.flatnonzero(~single):
                rows = reference[place == clip]
                gone = self.share[rows, component] @ _with_squares(self.vectors[rows])
                log[clip, component] = self._alone(
                    clips[[clip]], weight[[clip], component], component, gone[None]
                )[0]
        return -_log_sum(log + np.log(weight / weight.sum(axis=1, keepdims=True)))

    def _alone(self, clips: np.ndarray, weight: np.ndarray, component: int, gone: np.ndarray) -> np.ndarray:
        """(n,) log-likelihoods of one component, of total `weight` (n,) and without (n, 2 D) sums."""
        mean, square = np.split((self.sums[component] - gone) / weight[:, None], 2, axis=1)
        variance = np.maximum(square - mean**2, 0.0) + self.backend.regularization
        away = np.square(clips - mean) / variance
        return -0.5 * ((away + np.log(variance)).sum(axis=1) + mean.shape[1] * np.log(2 * np.pi))


def _moments(share: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(C, 2 D) sums of shares times vectors, and of shares times their squares."""
    result = np.zeros((share.shape[1], 2 * vectors.shape[1]))
    for rows in _batches(vectors):
        result += share[rows].T @ _with_squares(vectors[rows])
    return result


def _batches(vectors: np.ndarray) -> Iterator[slice]:
    """Rows whose squares stay in the cache."""
    step = max(1, BATCH // vectors.shape[1])
    for start in range(0, len(vectors), step):
        yield slice(start, start + step)


def _with_squares(vectors: np.ndarray) -> np.ndarray:
    """(M, 2 D): vectors and their squares side by side."""
    return np.concatenate([vectors, np.square(vectors)], axis=1)


def _log_sum(log: np.ndarray) -> np.ndarray:
    """Logarithm of the sum of exponentials along the last axis."""
    largest = log.max(axis=-1, keepdims=True)
    return (largest + np.log(np.exp(log - largest).sum(axis=-1, keepdims=True)))[..., 0]
