"""How references are made of the clips of a bank: each is a clip, or a weighted mean of clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: In place of a clip that takes a reference away, where there is none.
NOBODY = -1

#: Clips or other points, ascending, and references.
Pairs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Recipe:
    """How references are made of the clips of a bank.

    Attributes
    ----------
    parents : (R, P) int
        Clips; those of weight 0 fill up.
    weights : (R, P) float64
        Their weights, which sum to 1.
    owners : (R, Q) int
        Clips that take the reference away when they are left out; NOBODY fills up.
    removable : (R, P) bool
        Parents that are taken out of the mean instead when they are left out.
    rescaled : (R,) bool
        For the cosine: scaled to unit length after averaging.
    domain : (R,) int or None
    """

    parents: np.ndarray
    weights: np.ndarray
    owners: np.ndarray
    removable: np.ndarray
    rescaled: np.ndarray
    domain: np.ndarray | None

    @classmethod
    def of_clips(cls, size: int, domain: np.ndarray | None) -> Recipe:
        """Each clip of a bank as it is."""
        clips = np.arange(size)[:, None]
        one = np.ones((size, 1))
        return cls(clips, one, clips, np.zeros((size, 1), dtype=bool), np.ones(size, dtype=bool), domain)

    @property
    def size(self) -> int:
        """Number of references R."""
        return len(self.parents)

    def take(self, rows: slice | np.ndarray) -> Recipe:
        """Some of the references."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return Recipe(**{name: None if part is None else part[rows] for name, part in parts.items()})

    def blend(self, first: np.ndarray, second: np.ndarray, share: np.ndarray | float) -> Recipe:
        """share * first + (1 - share) * second, of the domain of `first`; both parents own the result."""
        a, b = self.take(first), self.take(second)
        share = np.broadcast_to(share, (len(first),))[:, None]
        return Recipe(
            np.concatenate([a.parents, b.parents], axis=1),
            np.concatenate([share * a.weights, (1 - share) * b.weights], axis=1),
            np.concatenate([a.owners, b.owners], axis=1),
            np.concatenate([a.removable, b.removable], axis=1),
            np.ones(len(first), dtype=bool),
            a.domain,
        )

    def centres(self, groups: Sequence[np.ndarray], rescale: bool) -> Recipe:
        """Means of groups of references, each of one domain. A clip left out is taken out of its mean."""
        width = max(len(group) for group in groups) * self.parents.shape[1]
        parents, weights = np.zeros((len(groups), width), dtype=np.int64), np.zeros((len(groups), width))
        owners = np.full((len(groups), 1), NOBODY)
        for row, group in enumerate(groups):
            part = self.take(group)
            count = part.parents.size
            parents[row, :count] = part.parents.ravel()
            weights[row, :count] = part.weights.ravel() / len(group)
            if len(group) == 1 and part.weights.max() == 1:
                owners[row, 0] = part.owners[0, 0]
        removable = np.repeat(owners == NOBODY, width, axis=1)
        domain = None if self.domain is None else np.array([self.domain[group[0]] for group in groups])
        return Recipe(parents, weights, owners, removable, np.full(len(groups), rescale), domain)

    def matrix(self, size: int) -> np.ndarray:
        """(R, size) float64: weight of every clip in every reference."""
        return self.sparse(size).toarray()

    def sparse(self, size: int) -> csr_array:
        """`matrix` as a sparse one."""
        from scipy.sparse import csr_array

        row, place = np.nonzero(self.weights)
        entries = self.weights[row, place], (row, self.parents[row, place])
        return csr_array(entries, shape=(self.size, size))


def joined(parts: Sequence[Recipe]) -> Recipe:
    """All references of several recipes, one after the other."""

    def stack(name: str, fill: float) -> np.ndarray:
        arrays = [getattr(part, name) for part in parts]
        width = max(array.shape[1] for array in arrays)
        return np.concatenate(
            [np.pad(array, ((0, 0), (0, width - array.shape[1])), constant_values=fill) for array in arrays]
        )

    return Recipe(
        stack("parents", 0),
        stack("weights", 0.0),
        stack("owners", NOBODY),
        stack("removable", False),
        np.concatenate([part.rescaled for part in parts]),
        None if parts[0].domain is None else np.concatenate([part.domain for part in parts]),
    )
