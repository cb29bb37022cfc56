"""Gaussian mixture with diagonal covariances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Backend, Fitted, require_size
from asdflow.covariance.moments import Moments, batches
from asdflow.geometry.clustering import kmeans
from asdflow.geometry.compiled import compiled
from asdflow.references.bank import Queries
from asdflow.references.references import References

#: Range of products of variances.
SMALLEST, LARGEST = 1e-250, 1e250
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
        table = Moments.of(references)
        size, order = references.size, table.order
        if self.components == 1:
            share = np.ones((size, 1))
        else:
            labels = kmeans(Ordered(references, order), self.components, ("gmm", self.components))
            share = (labels[:, None] == np.arange(self.components)).astype(np.float64)
        likelihood = -np.inf
        for _ in range(self.iterations):
            model = Model.of(share.sum(axis=0), table.sums(share), self.regularization)
            log = model.complete(table.dots(*model.factors))
            total = _log_sum(log)
            before, likelihood = likelihood, total.mean()
            share = np.exp(log - total[:, None])
            if abs(likelihood - before) < self.tolerance:
                break
        return FittedGMM(self, references, table, share, share.sum(axis=0), table.sums(share))


@dataclass(frozen=True)
class Ordered:
    """Squared Euclidean distances between references, in this order."""

    references: References
    order: np.ndarray

    @property
    def size(self) -> int:
        """Number of references."""
        return len(self.order)

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """(m, R) of these to all."""
        return np.square(self.references.between("euclidean", 1, self.order[numbers])[0][:, self.order])

    def sums(self, numbers: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(R, C) sums of (m, C) weights times squared distances."""
        return self.references.sums_of_squares("euclidean", self.order[numbers], weights)[self.order]


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

    @property
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """(C, D) factors of a vector and of its square in -2 log of each component."""
        precision = 1.0 / self.variance
        return -2 * self.mean * precision, precision

    def complete(self, dots: np.ndarray) -> np.ndarray:
        """(M, C) logarithms of w_c N(x; m_c, v_c) from (M, C) sums of the factors times vector and square."""
        constant = (self.mean**2 / self.variance).sum(axis=1) + np.log(self.variance).sum(axis=1)
        constant += self.mean.shape[1] * np.log(2 * np.pi)
        return np.log(self.weight) - 0.5 * (dots + constant)

    def log_likelihoods(self, vectors: np.ndarray) -> np.ndarray:
        """`complete` of (M, D) centred vectors. A row depends on that vector alone, bit for bit."""
        linear, quadratic = self.factors
        dots = np.einsum("md,cd->mc", vectors, linear)
        return self.complete(dots + np.einsum("md,cd->mc", np.square(vectors), quadratic))


@dataclass(frozen=True)
class FittedGMM(Fitted):
    """The references' moments, their last shares in the order of these, and what the shares sum to."""

    backend: GMM
    references: References
    table: Moments
    share: np.ndarray
    weight: np.ndarray
    sums: np.ndarray

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) negative log-likelihoods."""
        model = Model.of(self.weight, self.sums, self.backend.regularization)
        result = np.empty(queries.size)
        for rows in batches(np.arange(queries.size), queries.dimensions):
            away = self.table.rows.less_centre(queries.vectors[rows])
            result[rows] = -_log_sum(model.log_likelihoods(away))
        return result

    def self_scores(self) -> np.ndarray:
        """(N,) negative log-likelihoods under the model less the clip's own shares."""
        bank, references = self.references.bank, self.references
        model = Model.of(self.weight, self.sums, self.backend.regularization)
        place = np.argsort(self.table.order)  # of each reference among the shares
        clip, reference = references.owned_by(np.arange(bank.size))
        gone = np.zeros((bank.size, self.backend.components))
        np.add.at(gone, clip, self.share[place[reference]])
        weight = np.maximum(self.weight - gone, 0.0) + EMPTY
        number = np.bincount(clip, minlength=bank.size)
        log = np.empty(gone.shape)
        own = np.where(number[:, None] == 1, gone, 0.0)
        regularization = self.backend.regularization
        centre, whole = self.table.rows.centre, self.weight + EMPTY
        _alone(bank.vectors, centre, model.mean, model.variance, whole, own, regularization, log)
        for one in np.flatnonzero(number > 1):
            share = np.zeros_like(self.share)
            share[place[reference[clip == one]]] = self.share[place[reference[clip == one]]]
            left = Model.of(weight[one], self.sums - self.table.sums(share), self.backend.regularization)
            away = self.table.rows.less_centre(bank.vectors[one])
            linear, quadratic = left.factors
            log[one] = left.complete(linear @ away + quadratic @ np.square(away)) - np.log(left.weight)
        return -_log_sum(log + np.log(weight / weight.sum(axis=1, keepdims=True)))


@compiled()
def _alone(vectors, centre, mean, variance, whole, own, regularization, log):
    """Write (n, C) log-likelihoods of (n, D) vectors under each component less their own (n, C) shares in it.

    With n the sum of shares, taking r of x out of mean m and variance v leaves
    x - m' = n / (n - r) (x - m) and v' = n / (n - r) v - r n / (n - r)^2 (x - m)^2.
    The logarithm is taken of products of variances, as far as these are in range.
    """
    count, dimensions = vectors.shape
    for i in range(count):
        for c in range(len(mean)):
            rest = whole[c] / max(whole[c] - own[i, c], EMPTY)
            taken = own[i, c] / whole[c] * rest**2
            total, product, logarithm = 0.0, 1.0, dimensions * np.log(2 * np.pi)
            for d in range(dimensions):
                square = (vectors[i, d] - centre[d] - mean[c, d]) ** 2
                left = rest * (variance[c, d] - regularization) - taken * square
                left = max(left, 0.0) + regularization
                total += square / left
                if SMALLEST < product * left < LARGEST:
                    product *= left
                else:
                    logarithm += np.log(product) + np.log(left)
                    product = 1.0
            log[i, c] = -0.5 * (rest**2 * total + logarithm + np.log(product))


def _log_sum(log: np.ndarray) -> np.ndarray:
    """Logarithm of the sum of exponentials along the last axis."""
    largest = log.max(axis=-1, keepdims=True)
    return (largest + np.log(np.exp(log - largest).sum(axis=-1, keepdims=True)))[..., 0]
