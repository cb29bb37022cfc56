"""Variance minimisation: as much of the local density is subtracted as makes normal scores vary least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Backend, Fitted
from asdflow.backends._neighbours import Bands, Metric
from asdflow.foundation.errors import ConfigError
from asdflow.geometry.space import Space
from asdflow.references.bank import SOURCE, TARGET, Queries
from asdflow.references.density import MEAN, Density, NeighbourDensity
from asdflow.references.recipes import NOBODY
from asdflow.references.references import References

#: Distances of exact copies are taken as this, so that their logarithm is finite.
GUARD = 1e-12


@register("variance_minimisation")
@dataclass(frozen=True)
class VarianceMinimisation(Backend):
    """Nearest neighbour after subtracting the share of the density that explains normal distances.

    space "linear": s(x) = min over y of d(x, y) - alpha b(y), b(y) the mean distance from y to its k nearest
    other references. space "log": s(x) = min over y of log d(x, y) - alpha log b(y); with k = 1, alpha = 1
    ranks as the density ratio and alpha = 0 as the nearest neighbour. With bands, each band has its own
    neighbours and alpha, and scores are averaged.

    alpha = Cov(d, b) / Var(b) (of logarithms in log space) over the bank: d the distance from each reference
    to its nearest other reference y, and b(y) without that reference.

    Source: Matsumoto, DCASE 2025 Task 2 report, for the linear form (k = 4); arXiv 2603.04605 for the
    logarithmic one, with k = 1 and Euclidean distances. On which pairs alpha is estimated is not stated:
    `pairs: full` leaves the reference itself among the neighbours of y.

    Degenerate input: a set of exact copies is one reference; a copy of a bank clip has log d = log 1e-12.
    Where b does not vary, alpha is 0. Self-scores are exact: neighbours, b and alpha are without the clip.
    """

    by_domain: ClassVar[bool] = True
    refuses: ClassVar[dict[str, str]] = {
        "reference": "it already subtracts its own share of the density",
        "bank": "its share is estimated from pairs of clips; interpolated or averaged references are none",
    }

    k: Annotated[int, Field(ge=1, description="Nearest other references averaged in b.")] = 4
    space: Annotated[
        Literal["linear", "log"], Field(description="Subtract densities, or logarithms of them.")
    ] = "linear"
    bands: Bands = 1
    metric: Metric = "euclidean"
    pairs: Annotated[
        Literal["held_out", "full"],
        Field(description="b(y) in the estimate of alpha: without the reference paired with y, or with it."),
    ] = "held_out"

    @property
    def compares_in(self) -> Space:
        """The metric, in each band."""
        return Space(self.metric, self.bands)

    def scaled(self, distances: np.ndarray) -> np.ndarray:
        """Distances, or their logarithms."""
        return np.log(np.maximum(distances, GUARD)) if self.space == "log" else distances

    def fit(self, references: References) -> Fitted:
        """Densities, and alpha of every band."""
        references = references.distinct()
        where = "backend variance_minimisation"
        if references.size < 3:
            raise ConfigError(
                where,
                f"has {references.size} clips that differ, too few to estimate alpha from",
                "Give a larger bank, or choose backend knn.",
            )
        density = NeighbourDensity(references, MEAN, self.k, where, "k")
        lists = references.neighbours(self.k + 2)
        pairs = [
            Pairs(self, lists.index[band], lists.distance[band], density.full[band])
            for band in range(self.bands)
        ]
        return FittedVarianceMinimisation(self, references, density, pairs)


class Pairs:
    """Each reference with its nearest other, in one band: what alpha is estimated from.

    Attributes
    ----------
    alpha : float
    """

    def __init__(
        self, backend: VarianceMinimisation, index: np.ndarray, near: np.ndarray, full: np.ndarray
    ) -> None:
        self.backend, self.index, self.near, self.full = backend, index, near, full
        rows = np.arange(len(index))
        d, b = self._pair(rows, np.full(len(rows), NOBODY))
        self.centre = np.array([d.mean(), b.mean()])  # sums of centred values do not cancel
        self.moments = self._moments(d, b)
        self.total = self.moments.sum(axis=0)
        self.alpha = float(_slope(self.total, len(rows)))

    def alpha_without(self) -> np.ndarray:
        """(R,) alpha when each reference is left out.

        Only the pairs change that name it: as the nearest, or among the neighbours of the nearest.
        """
        size, k = len(self.index), self.backend.k
        total = self.total - self.moments
        rows = np.arange(size)
        first = self.index[:, 0]
        for gone in [first, *self.index[first][:, : k + 2].T]:
            some = gone != rows
            d, b = self._pair(rows[some], gone[some])
            np.add.at(total, gone[some], self._moments(d, b) - self.moments[some])
        return _slope(total, size - 1)

    def _pair(self, rows: np.ndarray, gone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """d and b of the pairs of `rows` when the reference at the same place of `gone` is left out."""
        place = (self.index[rows, 0] == gone).astype(np.int64)
        nearest, d = self.index[rows, place], self.near[rows, place]
        index, near = self.index[nearest], self.near[nearest]
        out = index == gone[:, None]
        if self.backend.pairs == "held_out":
            out |= index == rows[:, None]
        left = np.sort(np.where(out, np.inf, near), axis=1)[:, : self.backend.k]
        b = MEAN.full(left)
        return self.backend.scaled(d), self.backend.scaled(np.where(np.isnan(b), GUARD, b))

    def _moments(self, d: np.ndarray, b: np.ndarray) -> np.ndarray:
        d, b = d - self.centre[0], b - self.centre[1]
        return np.stack([d, b, d * b, b * b], axis=1)


def _slope(total: np.ndarray, size: int) -> np.ndarray:
    """Cov(d, b) / Var(b) from sums of d, b, d b and b^2; 0 where b does not vary."""
    d, b, db, bb = np.moveaxis(total, -1, 0)
    variance = bb - b * b / size
    varies = variance > 1e-12 * np.maximum(np.abs(bb), 1e-300)
    return np.where(varies, (db - d * b / size) / np.where(varies, variance, 1.0), 0.0)


@dataclass(frozen=True)
class FittedVarianceMinimisation(Fitted):
    """References, their densities and pairs."""

    backend: VarianceMinimisation
    references: References
    density: Density
    pairs: list[Pairs]

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) scores."""
        return self._changed(queries).min(axis=-1).mean(axis=0)

    def self_scores(self) -> np.ndarray:
        """(N,) exact leave-one-out scores."""
        return self._left_out().min(axis=-1).mean(axis=0)

    def domain_scores(self, queries: Queries) -> np.ndarray:
        """(2, M) scores against each domain."""
        return self._by_domain(self._changed(queries))

    def domain_self_scores(self) -> np.ndarray:
        """(2, N) exact leave-one-out scores against each domain."""
        return self._by_domain(self._left_out())

    def _by_domain(self, values: np.ndarray) -> np.ndarray:
        domain = self.references.domain
        return np.stack([values[:, :, domain == one].min(axis=-1).mean(axis=0) for one in (SOURCE, TARGET)])

    def _changed(self, queries: Queries) -> np.ndarray:
        """(bands, M, R)."""
        distances = self.references.to(queries)
        alpha = np.array([pairs.alpha for pairs in self.pairs])[:, None, None]
        return self.backend.scaled(distances) - alpha * self.backend.scaled(self.density.full[:, None, :])

    def _left_out(self) -> np.ndarray:
        """(bands, N, R), infinite to references that a clip takes away."""
        distances = self.references.left_out()
        alpha = np.repeat([[pairs.alpha] for pairs in self.pairs], len(distances[0]), axis=1)
        rows = np.flatnonzero(self.references.owners[:, 0] != NOBODY)
        for band, pairs in enumerate(self.pairs):
            alpha[band, self.references.owners[rows, 0]] = pairs.alpha_without()[rows]
        scaled = self.backend.scaled(distances)
        result = scaled - alpha[:, :, None] * self.backend.scaled(self.density.full[:, None, :])
        for band, changes in enumerate(self.density.changes):
            at = band, changes.clip, changes.reference
            none = np.isnan(changes.density)
            b = self.backend.scaled(np.where(none, 1.0, changes.density))
            result[at] = np.where(none, np.inf, scaled[at] - alpha[band, changes.clip] * b)
        return result
