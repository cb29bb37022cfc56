"""How references are mixed from the clips of a bank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: In place of a clip that takes a reference away, where there is none.
NOBODY = -1


@dataclass(frozen=True)
class Recipe:
    """How references are mixed from the clips of the bank.

    Attributes
    ----------
    parents : (R, P) int
        Clips; those of weight 0 fill up.
    weights : (R, P) float64
        Their weights, which sum to 1.
    owners : (R, Q) int
        Clips that take the reference away when they are left out. A parent that is no owner is taken out of
        the mean instead.
    rescaled : (R,) bool
        For the cosine: scaled to unit length after mixing.
    domain : (R,) int or None
    """

    parents: np.ndarray
    weights: np.ndarray
    owners: np.ndarray
    rescaled: np.ndarray
    domain: np.ndarray | None

    @property
    def size(self) -> int:
        """Number of references R."""
        return len(self.parents)

    def take(self, rows: slice | np.ndarray) -> Recipe:
        """Some of the references."""
        domain = None if self.domain is None else self.domain[rows]
        return Recipe(self.parents[rows], self.weights[rows], self.owners[rows], self.rescaled[rows], domain)

    def blend(self, first: np.ndarray, second: np.ndarray, share: np.ndarray) -> Recipe:
        """share * first + (1 - share) * second, of the domain of `first`; both parents own the result."""
        a, b = self.take(first), self.take(second)
        share = np.broadcast_to(share, (len(first),))[:, None]
        return Recipe(
            np.concatenate([a.parents, b.parents], axis=1),
            np.concatenate([share * a.weights, (1 - share) * b.weights], axis=1),
            np.concatenate([a.owners, b.owners], axis=1),
            np.ones(len(first), dtype=bool),
            a.domain,
        )

    def centres(self, groups: Sequence[np.ndarray], rescale: bool) -> Recipe:
        """Means of groups of references, each of one domain. A clip left out is taken out of its mean."""
        width = max(len(group) for group in groups) * self.parents.shape[1]
        parents = np.zeros((len(groups), width), dtype=np.int64)
        weights = np.zeros((len(groups), width))
        owners = np.full((len(groups), 1), NOBODY)
        for row, group in enumerate(groups):
            part = self.take(group)
            count = part.parents.size
            parents[row, :count] = part.parents.ravel()
            weights[row, :count] = part.weights.ravel() / len(group)
            if len(group) == 1 and (part.weights == 1).any():
                owners[row, 0] = part.owners[0, 0]
        domain = None if self.domain is None else np.array([self.domain[group[0]] for group in groups])
        return Recipe(parents, weights, owners, np.full(len(groups), rescale), domain)

    def matrix(self, size: int) -> np.ndarray:
        """(R, size) float64: weight of every clip in every reference."""
        result = np.zeros((self.size, size))
        np.add.at(result, (np.arange(self.size)[:, None], self.parents), self.weights)
        return result


def joined(parts: Sequence[Recipe]) -> Recipe:
    """All references of several recipes, one after the other."""

    def stack(arrays: list[np.ndarray], fill: float) -> np.ndarray:
        width = max(array.shape[1] for array in arrays)
        return np.concatenate(
            [np.pad(array, ((0, 0), (0, width - array.shape[1])), constant_values=fill) for array in arrays]
        )

    return Recipe(
        stack([part.parents for part in parts], 0),
        stack([part.weights for part in parts], 0.0),
        stack([part.owners for part in parts], NOBODY),
        np.concatenate([part.rescaled for part in parts]),
        None if parts[0].domain is None else np.concatenate([part.domain for part in parts]),
    )
