"""References that are weighted means of clips: cluster centres, clips interpolated between two.

Their distances follow from the distances between clips, without the vectors. For weights w that sum to 1 and
a point r = sum_p w_p b_p, |x - r|^2 = sum_p w_p |x - b_p|^2 - h with h = 1/2 sum_pq w_p w_q |b_p - b_q|^2.

For the cosine the vectors are scaled to unit length before they are mixed, where |x - b|^2 is four times the
cosine distance, and the length of r is sqrt(1 - h).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asdflow.bank import Queries
from asdflow.clustering import canonical_order
from asdflow.linear import product
from asdflow.mixing import Single, blocks
from asdflow.nearest_mixtures import Blocks
from asdflow.neighbours import pairs_where
from asdflow.references import ALL, ANY, NOBODY, References

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
        self._blocks = list(blocks(recipe, references.bank.size))
        self._known: dict = {}

    @property
    def vectors(self) -> np.ndarray:
        """(R, D) float64."""
        return self.mixed(self.bank.vectors.astype(np.float64))

    @cached_property
    def order(self) -> np.ndarray:
        """(R,) numbers in an order that depends on the vectors alone."""
        return canonical_order(self.vectors)

    def mixed(self, rows: np.ndarray) -> np.ndarray:
        """(R, n) weighted means of (N, n) rows of the clips."""
        result = np.empty((self.size, rows.shape[1]))
        for block in self._blocks:
            result[block.columns] = block.mixed(rows.T).T
        return result

    def to(
        self, queries: Queries, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances."""
        return self._mixed(queries.distances(metric, bands)[which, rows], metric, bands, which)

    def from_bank(
        self, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances."""
        return self._mixed(self.bank.distances(metric, bands)[which, rows], metric, bands, which)

    def between(
        self, metric: str, bands: int = 1, rows: slice | np.ndarray = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances: a reference is as far from a clip as the mean of its parents is."""
        chosen = np.arange(self.size)[rows]
        part, h = self.recipe.take(chosen), self._offsets(metric, bands)[which]
        known = self.bank.distances(metric, bands)[which]
        result = np.empty((len(known), len(chosen), self.size))
        finish = self._euclidean if metric == "euclidean" else self._cosine
        for of_band, offsets, out in zip(known, h, result, strict=True):
            self._sums(_mix_rows(part, self.bank.size, of_band, metric), out)
            finish(out, offsets, chosen)
        return result

    def _euclidean(self, total: np.ndarray, h: np.ndarray, chosen: np.ndarray) -> None:
        """Mean squared distances of all parents of one to those of the other, to distances, in place."""
        same = _same(total, h[chosen], h)
        total -= h[chosen, None]
        total -= h
        total[same] = 0.0
        np.sqrt(np.maximum(total, 0.0, out=total), out=total)

    def _cosine(self, total: np.ndarray, h: np.ndarray, chosen: np.ndarray) -> None:
        """As `_euclidean`, by (1 - <p, q> / (a b)) / 2 with <p, q> = 1 - total / 2 of means p and q.

        A reference that is scaled is divided by its length a, a^2 = 1 - h; another one by 1.
        """
        rows, columns = _same(total, h[chosen], h)
        total[rows, columns] = h[chosen[rows]] + h[columns]
        lengths, rescaled = self._lengths(h, slice(None)), self.recipe.rescaled
        total -= 2.0
        total *= (0.25 / lengths[chosen])[:, None]
        total /= lengths
        total += 0.5
        copies = rescaled[chosen[rows]] & rescaled[columns]
        total[rows[copies], columns[copies]] = 0.0
        np.clip(total, 0.0, 1.0, out=total)

    def left_out(
        self, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances; a clip is taken out of the means that it does not own."""
        result = super().left_out(metric, bands, rows, which)
        start, stop, _ = rows.indices(self.bank.size)
        clips, references, weight = self._partly_owned
        some = slice(*np.searchsorted(clips, (start, stop)))
        clips, references, weight = clips[some], references[some], weight[some]
        if not len(clips):
            return result
        h, rescaled = self._offsets(metric, bands)[which], self.recipe.rescaled[references]
        for band, known in enumerate(self.bank.distances(metric, bands)[which]):
            square = self._squares_to(known, clips, references, metric, h[band])
            away = square / np.square(1 - weight)
            if metric == "euclidean":
                result[band, clips - start, references] = np.sqrt(away)
                continue
            length = 1 - h[band, references]  # squared
            inner = 0.5 * (1 + length - square)
            left = (length - 2 * weight * inner + np.square(weight)) / np.square(1 - weight)
            result[band, clips - start, references] = _cosine(away, 1 - left, rescaled)
        return result

    def _nearest(self, clips: Queries | None, metric: str, bands: int, k: int) -> dict[int, np.ndarray]:
        """As of the references, block by block where no mixture has more than two parents."""
        blocks = self._few
        if blocks is None or (clips is None and len(self._partly_owned[0])):
            return super()._nearest(clips, metric, bands, k)
        owned = self.owned(0, self.bank.size) if clips is None else None
        parts = []
        for band, of_band in enumerate((clips or self.bank).distances(metric, bands)):
            affine = _affine(self._offsets(metric, bands)[band], self.recipe.rescaled, metric)
            parts.append(blocks.nearest(of_band, metric, *affine, k, owned))
        return {domain: np.stack([part[domain] for part in parts]) for domain in parts[0]}

    @cached_property
    def _few(self) -> Blocks | None:
        return Blocks.of(self._blocks, np.full(self.size, ANY) if self.domain is None else self.domain)

    @cached_property
    def _partly_owned(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Clip, reference and weight where a clip is part of a mean that it does not own, by clip."""
        parents, weights = self.recipe.parents, self.recipe.weights
        owned = (parents[:, :, None] == self.owners[:, None, :]).any(axis=2)
        concerned = np.flatnonzero(((weights > 0) & ~owned).any(axis=1))
        clips, references, shares = [], [], []
        for row in concerned:
            weight = self.recipe.take(np.array([row])).matrix(self.bank.size)[0]
            parts = np.flatnonzero((weight > 0) & (weight < 1))
            parts = parts[~np.isin(parts, self.owners[row])]
            clips.append(parts)
            references.append(np.full(len(parts), row))
            shares.append(weight[parts])
        if not clips:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
        clip = np.concatenate(clips)
        order = np.argsort(clip, kind="stable")
        return clip[order], np.concatenate(references)[order], np.concatenate(shares)[order]

    def _squares_to(
        self, known: np.ndarray, clips: np.ndarray, references: np.ndarray, metric: str, h: np.ndarray
    ) -> np.ndarray:
        """(n,) squared distances of clips to references, pair by pair, from (N, N) distances."""
        different, place = np.unique(clips, return_inverse=True)
        wanted, column = np.unique(references, return_inverse=True)
        dense = self.recipe.take(wanted).matrix(self.bank.size)
        total = product(squared(known[different], metric), dense)[place, column]
        square = total - h[references]
        square[square <= ROUNDING * np.abs(total)] = 0.0
        return square

    def _lists(self, metric: str, bands: int) -> dict:
        return self._known.setdefault(("lists", metric, bands), {})

    def _mixed(self, distances: np.ndarray, metric: str, bands: int, which: slice) -> np.ndarray:
        """(bands, M, N) distances to clips to (bands, M, R) distances to the references."""
        square, h = squared(distances, metric), self._offsets(metric, bands)[which]
        result = np.empty((*distances.shape[:2], self.size))
        for band, of_band in enumerate(square):
            for block in self._blocks:
                if isinstance(block, Single):
                    result[band][:, block.columns] = distances[band][:, block.parents]
                    continue
                out = result[band][:, block.columns]
                scale, shift = _affine(h[band, block.columns], self.recipe.rescaled[block.columns], metric)
                block.mix(of_band, scale, shift, out)
                np.maximum(out, 0.0, out=out)
                if metric == "euclidean":
                    np.sqrt(out, out=out)
                result[band][:, block.columns] = out  # is there already where the columns are a slice
        return result

    def _sums(self, square: np.ndarray, result: np.ndarray) -> None:
        """Write sum_p w_p |x - b_p|^2 into (M, R), from (M, N) squared distances."""
        for block in self._blocks:
            out = result[:, block.columns]
            block.write(square, out)
            if not isinstance(block.columns, slice):
                result[:, block.columns] = out

    def _offsets(self, metric: str, bands: int) -> np.ndarray:
        """(bands, R): h of every reference."""
        key = ("offsets", metric, bands)
        if key not in self._known:
            h = np.zeros((bands, self.size))
            for band, known in enumerate(self.bank.distances(metric, bands)):
                square = squared(known, metric)
                for block in self._blocks:
                    h[band, block.columns] = block.offsets(square)
            self._known[key] = h
        return self._known[key]

    def _lengths(self, h: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
        """What an inner product is divided by: the length of a rescaled reference, 1 otherwise."""
        return np.where(self.recipe.rescaled[rows], np.sqrt(np.maximum(1 - h, 1e-30)), 1.0)


def _same(total: np.ndarray, h: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of references whose squared distance, total - h - h', is rounding."""
    away = total * (1 - ROUNDING)
    away -= others
    return pairs_where(away <= h[:, None])


def squared(distances: np.ndarray, metric: str) -> np.ndarray:
    """Squared distances in the space in which vectors are mixed: for the cosine that of unit vectors."""
    return np.square(distances) if metric == "euclidean" else 4.0 * distances


def _affine(h: np.ndarray, rescaled: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """(scale, shift): what sum_p w_p |x - b_p|^2 is multiplied by, and what is then taken off.

    That gives the squared Euclidean distance, or the cosine distance as in `_cosine`.
    """
    if metric == "euclidean":
        return np.ones_like(h), h
    length = np.sqrt(np.maximum(1 - h, 1e-30))
    scale = np.where(rescaled, 0.25 / length, 0.25)
    return scale, np.where(rescaled, scale * (h + np.square(1 - length)), 0.0)


def _cosine(square: np.ndarray, h: np.ndarray, rescaled: np.ndarray) -> np.ndarray:
    """Cosine distance of unit vectors to means of unit vectors at these squared distances."""
    length = np.sqrt(np.maximum(1 - h, 1e-30))
    scaled = (square - np.square(1 - length)) / (4 * length)
    return np.clip(np.where(rescaled, scaled, 0.25 * (square + h)), 0.0, 1.0)


def _mix_rows(recipe: Recipe, size: int, distances: np.ndarray, metric: str) -> np.ndarray:
    """(rows, N): for each reference the weighted mean of its parents' squared distances to the clips."""
    used = np.flatnonzero((recipe.weights != 0).any(axis=0))
    if len(used) > FEW:
        return product(recipe.matrix(size), np.ascontiguousarray(squared(distances, metric).T))
    total = np.zeros((recipe.size, distances.shape[1]))
    for p in used:
        some = np.flatnonzero(recipe.weights[:, p])
        total[some] += recipe.weights[some, p, None] * squared(distances[recipe.parents[some, p]], metric)
    return total
