"""Points of the space of a bank, placed by their products with its clips or by their vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asdflow.geometry.linear import product
from asdflow.references.bank import Bank, Queries


@dataclass(frozen=True)
class Points:
    """Clips to be scored, or weighted means of the bank's clips.

    Attributes
    ----------
    bank : Bank
    queries : Queries, optional
    weights : (M, N) float64, optional
        Rows sum to 1. One of queries and weights is given.
    """

    bank: Bank
    queries: Queries | None = None
    weights: np.ndarray | None = None

    @cached_property
    def vectors(self) -> np.ndarray:
        """(M, D) float64."""
        if self.queries is not None:
            return self.queries.vectors.astype(np.float64)
        used = np.flatnonzero(self.weights.any(axis=0))
        return self.weights[:, used] @ self.bank.vectors[used].astype(np.float64)

    @cached_property
    def inner(self) -> np.ndarray:
        """(M, N) float64 products with the bank's clips, about the centre of its products."""
        if self.queries is not None:
            return self.queries.products().inner
        used = np.flatnonzero(self.weights.any(axis=0))
        return self.weights[:, used] @ self.bank.products().inner[used]

    @cached_property
    def square(self) -> np.ndarray:
        """(M,) float64 squared distances from that centre."""
        if self.queries is not None:
            return self.queries.products().left.square
        return (self.inner * self.weights).sum(axis=1)

    def times(self, a: np.ndarray, basis: np.ndarray) -> np.ndarray:
        """a basis^T, for (M, n) numbers of these points; rows of queries do not see each other."""
        return product(a, basis) if self.queries is not None else a @ basis.T

    def square_from(self, means: Points) -> np.ndarray:
        """(M,) squared distances from means of clips, one each or one for all."""
        if self.bank.size > self.bank.dimensions:
            return np.square(self.vectors - means.vectors).sum(axis=1)
        cross = (self.inner * means.weights).sum(axis=1)
        return np.maximum(self.square - 2 * cross + means.square, 0.0)
