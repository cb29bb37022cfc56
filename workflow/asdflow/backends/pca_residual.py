"""PCA residual: distance from the subspace that the normal clips span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Backend, Fitted
from asdflow.covariance.axes import Spectrum, owning_several, principal_axes
from asdflow.covariance.removal import Cut, poles
from asdflow.foundation.errors import ConfigError, DataError
from asdflow.references.bank import Queries
from asdflow.references.references import References


@register("pca_residual")
@dataclass(frozen=True)
class PCAResidual(Backend):
    """Squared distance to the bank's principal subspace.

    s(x) = |(I - V V^T)(x - m)|^2, m the bank mean, V its first q principal axes: `rank` of them, or the
    fewest that hold the share `variance` of the total variance.

    Source: Hoffmann, Pattern Recognition 40 (2007), linear case; q is not stated in arXiv 2606.19269, where
    95 % of the variance is the choice here.

    In-sample residuals shrink to 0 as q approaches N - 1, so self-scores are exact leave-one-out: mean, axes
    and, with `variance`, q are those without the clip. The new eigenvalues are roots of the secular equation
    of a rank-one update, so no decomposition is repeated, but for a clip that several references are made of
    (the target clips of SMOTE).

    Degenerate input: constant features are harmless; a bank without spread is a DataError; a rank that leaves
    no residual but rounding when a clip is left out (rank > N - 2, or as many axes as the bank varies along,
    which are D at most) is a ConfigError.
    """

    rank: Annotated[
        int | None,
        Field(ge=1, description="Principal axes kept. Give rank or variance; neither means variance = 0.95."),
    ] = None
    variance: Annotated[
        float | None, Field(gt=0.0, lt=1.0, description="Share of the variance that the axes kept must hold.")
    ] = None

    refuses: ClassVar[dict[str, str]] = {
        "reference": "it compares a clip with a subspace, not with references that have a density",
        "source_means": "cluster centres have lost the spread within the clusters that the axes describe",
        "memmixup": "the axes would describe the mixtures, which outnumber the clips",
    }

    def __post_init__(self) -> None:
        """Exactly one of rank and variance; variance = 0.95 where neither is given."""
        if self.rank is not None and self.variance is not None:
            raise ConfigError(
                "backend pca_residual",
                f"has both rank = {self.rank} and variance = {self.variance}",
                "Give one of them.",
            )
        if self.rank is None and self.variance is None:
            object.__setattr__(self, "variance", 0.95)

    def fit(self, references: References) -> Fitted:
        """Find the principal axes."""
        axes = principal_axes(references)
        spanned = len(axes.scatter)
        most = min(references.size - 2, axes.dimensions - 1, spanned - 1)
        if self.rank is not None and self.rank > most:
            raise ConfigError(
                "backend pca_residual, parameter rank",
                f"is {self.rank}, but {references.size} clips of {axes.dimensions} dimensions, which vary "
                f"along {spanned} axes above rounding, leave a residual only up to rank {most}",
                f"Set rank to {most} or less, or give variance instead." if most > 0 else "Give more clips.",
            )
        return FittedPCAResidual(self, axes, references)

    def kept(self, scatter: np.ndarray, total: float) -> int:
        """Axes kept, given the eigenvalues in descending order and their sum."""
        if self.rank is not None:
            return self.rank
        return int(np.searchsorted(np.cumsum(scatter), self.variance * total * (1 - 1e-12))) + 1


@dataclass(frozen=True)
class FittedPCAResidual(Fitted):
    """Parameters and axes."""

    backend: PCAResidual
    axes: Spectrum
    references: References

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) squared residuals."""
        kept = self.backend.kept(self.axes.scatter, self.axes.scatter.sum())
        coordinates, beside = self.axes.project(queries)
        return np.square(coordinates[:, kept:]).sum(axis=1) + beside

    def self_scores(self) -> np.ndarray:
        """(N,) exact squared residuals from the subspace of the other clips."""
        axes, size = self.axes, self.axes.size
        if size < 3:
            raise DataError(
                "bank",
                f"leaves {size - 1} clip(s) when one is left out, which span no subspace",
                "Give three clips or more.",
            )
        result = self._residuals(axes.coordinates[: self.references.bank.size])
        result *= (size / (size - 1)) ** 2
        for clip, rows in owning_several(self.references):
            mean, scatter = axes.without(rows)
            values, remaining = np.linalg.eigh(scatter)
            values = np.maximum(values[::-1], 0.0)
            kept = self.backend.kept(values, values.sum())
            rest = remaining[:, : len(values) - kept].T @ (axes.coordinates[clip] - mean)
            result[clip] = np.square(rest).sum()
        return np.maximum(result, 0.0)

    def _residuals(self, coordinates: np.ndarray) -> np.ndarray:
        """(n,) squared residuals of these clips, as they lie in the axes, from the subspace of the others."""
        spaced = poles(self.axes.scatter)
        weight = spaced.weights(coordinates)
        beta = self.axes.size / (self.axes.size - 1)
        total = self.axes.scatter.sum() - beta * weight.sum(axis=1)
        number = np.full(len(weight), self.backend.kept(self.axes.scatter, self.axes.scatter.sum()))
        result, step = np.empty(len(weight)), np.zeros(len(weight), dtype=np.int64)
        rest = np.arange(len(weight))
        while len(rest):
            for one in np.unique(number[rest]):
                some = rest[number[rest] == one]
                cut = spaced.cut(weight[some], beta, int(one))
                result[some] = cut.lost
                new = self._step(cut, total[some])
                step[some] = np.where(new * step[some] < 0, 0, new)  # there and back again is rounding
            number += step
            rest = rest[step[rest] != 0]
        return result

    def _step(self, cut: Cut, total: np.ndarray) -> np.ndarray:
        """(...) 1 where one axis more must be kept to hold the share of the variance, -1 for one less."""
        if self.backend.variance is None:
            return np.zeros(total.shape, dtype=np.int64)
        wanted = self.backend.variance * total * (1 - 1e-12)
        return (cut.kept < wanted).astype(np.int64) - (cut.kept - cut.smallest >= wanted)
