"""References that are weighted means of clips: cluster centres, clips interpolated between two.

Their distances follow from the distances between clips, without the vectors. For weights w that sum to 1 and
a point r = sum_p w_p b_p, |x - r|^2 = sum_p w_p |x - b_p|^2 - h with h = 1/2 sum_pq w_p w_q |b_p - b_q|^2.

For the cosine the vectors are scaled to unit length before they are mixed, where |x - b|^2 is four times the
cosine distance, and the length of r is sqrt(1 - h).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asdflow.bank import Queries
from asdflow.linear import product
from asdflow.references import NOBODY, References

#: Squared distances below this share of their terms are rounding and mean the same point.
ROUNDING = 1e-13
#: Rows of more parents than this are computed by a matrix product.
FEW = 2


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

    def take(self, rows: np.ndarray) -> Recipe:
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


def plain(references: References) -> Recipe:
    """Recipe of references as they are."""
    if isinstance(references, MixedReferences):
        return references.recipe
    size = references.size
    return Recipe(
        np.arange(size)[:, None],
        np.ones((size, 1)),
        references.owners,
        np.ones(size, dtype=bool),
        references.domain,
    )


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


class MixedReferences(References):
    """References mixed from the clips of a bank by a recipe."""

    def __init__(self, references: References, recipe: Recipe) -> None:
        self.bank, self.recipe = references.bank, recipe
        self.size, self.domain, self.owners = recipe.size, recipe.domain, recipe.owners
        used = (recipe.weights != 0).sum(axis=1)
        order = np.argsort(recipe.weights == 0, axis=1, kind="stable")
        self._parents = np.take_along_axis(recipe.parents, order, axis=1)[:, :FEW]
        self._weights = np.take_along_axis(recipe.weights, order, axis=1)[:, :FEW]
        self._single = np.flatnonzero(used == 1)
        self._few, self._many = np.flatnonzero(used <= FEW), np.flatnonzero(used > FEW)
        self._dense = recipe.take(self._many).matrix(self.bank.size)
        self._known: dict = {}

    @property
    def vectors(self) -> np.ndarray:
        """(R, D) float64."""
        clips = self.bank.vectors.astype(np.float64)
        result = np.empty((self.size, self.bank.dimensions))
        result[self._few] = sum(
            clips[self._parents[self._few, p]] * self._weights[self._few, p, None]
            for p in range(self._parents.shape[1])
        )
        result[self._many] = self._dense @ clips
        return result

    def to(self, queries: Queries, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, M, R) distances."""
        return self._mixed(queries.distances(metric, bands), metric, bands)

    def from_bank(self, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, N, R) distances."""
        return self._mixed(self.bank.distances(metric, bands), metric, bands)

    def between(self, metric: str, bands: int = 1, rows: slice = slice(None)) -> np.ndarray:
        """(bands, rows, R) distances."""
        chosen = np.arange(self.size)[rows]
        h = self._offsets(metric, bands)
        sums = self._sums_from_bank(metric, bands)  # (bands, N, R)
        part = self.recipe.take(chosen)
        total = np.stack([_mix_rows(part, self.bank.size, sums[band]) for band in range(bands)])
        square = total - h[:, chosen, None] - h[:, None, :]
        square[square <= ROUNDING * np.abs(total)] = 0.0
        if metric == "euclidean":
            return np.sqrt(square)
        a, b = self._lengths(h[:, chosen], chosen)[..., None], self._lengths(h, slice(None))[:, None, :]
        if self.recipe.rescaled.all():
            return np.clip((square - np.square(a - b)) / (4 * a * b), 0.0, 1.0)
        inner = 0.5 * ((1 - h[:, chosen, None]) + (1 - h[:, None, :]) - square)
        return np.clip(0.5 * (1 - inner / (a * b)), 0.0, 1.0)

    def left_out(self, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, N, R) distances; a clip is taken out of the means that it does not own."""
        result = super().left_out(metric, bands)
        h = self._offsets(metric, bands)
        square = self._squares(self.bank.distances(metric, bands), metric, bands)
        owned = (self.recipe.parents[:, :, None] == self.owners[:, None, :]).any(axis=2)
        for row in np.flatnonzero(((self.recipe.weights > 0) & ~owned).any(axis=1)):
            weight = self.recipe.take(np.array([row])).matrix(self.bank.size)[0]
            clips = np.flatnonzero((weight > 0) & (weight < 1))
            clips = clips[~np.isin(clips, self.owners[row])]
            away = square[:, clips, row] / np.square(1 - weight[clips])
            if metric == "euclidean":
                result[:, clips, row] = np.sqrt(away)
                continue
            length = 1 - h[:, row, None]  # squared
            inner = 0.5 * (1 + length - square[:, clips, row])
            left = (length - 2 * weight[clips] * inner + np.square(weight[clips])) / np.square(
                1 - weight[clips]
            )
            result[:, clips, row] = _cosine(away, 1 - left, np.array([self.recipe.rescaled[row]]))
        return result

    def _lists(self, metric: str, bands: int) -> dict:
        return self._known.setdefault(("lists", metric, bands), {})

    def _mixed(self, distances: np.ndarray, metric: str, bands: int) -> np.ndarray:
        """(bands, M, N) distances to clips to (bands, M, R) distances to the references."""
        square = self._squares(distances, metric, bands)
        if metric == "euclidean":
            result = np.sqrt(square, out=square)
        else:
            result = _cosine(square, self._offsets(metric, bands)[:, None, :], self.recipe.rescaled)
        result[..., self._single] = distances[..., self._parents[self._single, 0]]
        return result

    def _squares(self, distances: np.ndarray, metric: str, bands: int) -> np.ndarray:
        """(bands, M, R) squared distances to the references, in the space in which they are mixed."""
        total = self._sums(distances, metric)
        square = total - self._offsets(metric, bands)[:, None, :]
        square[square <= ROUNDING * np.abs(total)] = 0.0
        return square

    def _sums(self, distances: np.ndarray, metric: str) -> np.ndarray:
        """(bands, M, R): sum_p w_p |x - b_p|^2."""
        square = np.square(distances) if metric == "euclidean" else 4.0 * distances
        result = np.empty((*distances.shape[:2], self.size))
        for band, values in enumerate(square):
            total = np.zeros((distances.shape[1], len(self._few)))
            for p in range(self._parents.shape[1]):
                total += values[:, self._parents[self._few, p]] * self._weights[self._few, p]
            result[band][:, self._few] = total
            if len(self._many):
                result[band][:, self._many] = product(values, self._dense)
        return result

    def _sums_from_bank(self, metric: str, bands: int) -> np.ndarray:
        key = ("sums", metric, bands)
        if key not in self._known:
            self._known[key] = self._sums(self.bank.distances(metric, bands), metric)
        return self._known[key]

    def _offsets(self, metric: str, bands: int) -> np.ndarray:
        """(bands, R): h of every reference."""
        key = ("offsets", metric, bands)
        if key not in self._known:
            sums = self._sums_from_bank(metric, bands)
            h = np.zeros((bands, self.size))
            for p in range(self._parents.shape[1]):
                h += 0.5 * self._weights[:, p] * sums[:, self._parents[:, p], np.arange(self.size)]
            for place, row in enumerate(self._many):
                h[:, row] = 0.5 * (self._dense[place] * sums[:, :, row]).sum(axis=-1)
            h[:, self._single] = 0.0
            self._known[key] = h
        return self._known[key]

    def _lengths(self, h: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
        """What an inner product is divided by: the length of a rescaled reference, 1 otherwise."""
        return np.where(self.recipe.rescaled[rows], np.sqrt(np.maximum(1 - h, 1e-30)), 1.0)


def _cosine(square: np.ndarray, h: np.ndarray, rescaled: np.ndarray) -> np.ndarray:
    """Cosine distance of unit vectors to means of unit vectors at these squared distances."""
    length = np.sqrt(np.maximum(1 - h, 1e-30))
    scaled = (square - np.square(1 - length)) / (4 * length)
    return np.clip(np.where(rescaled, scaled, 0.25 * (square + h)), 0.0, 1.0)


def _mix_rows(recipe: Recipe, size: int, sums: np.ndarray) -> np.ndarray:
    """(rows, R): weighted sums of the rows of (N, R)."""
    used = np.flatnonzero((recipe.weights != 0).any(axis=0))
    if len(used) > FEW:
        return product(recipe.matrix(size), np.ascontiguousarray(sums.T))
    total = np.zeros((recipe.size, sums.shape[1]))
    for p in used:
        total += recipe.weights[:, p, None] * sums[recipe.parents[:, p]]
    return total
