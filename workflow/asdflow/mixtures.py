"""References that are weighted means of clips: cluster centres, clips interpolated between two.

Their distances follow from the distances between clips, without the vectors (`mixed_distances`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from asdflow.bank import Queries
from asdflow.clustering import canonical_order
from asdflow.linear import product
from asdflow.mixed_distances import (
    ROUNDING,
    UNIT,
    between,
    cosine,
    from_clips,
    from_means,
    from_units,
    in_units,
    squared,
)
from asdflow.mixing import blocks
from asdflow.neighbours import Neighbours, as_slice
from asdflow.recipes import Recipe
from asdflow.references import ALL, ANY, MOST, Pairs, References, of_bank
from asdflow.runs import Found, Runs

#: Rows of more parents than this are computed by a matrix product.
FEW = 2


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

    @property
    def moves_with_clips(self) -> bool:
        """Where a clip is part of a mean that it does not own."""
        return len(self._partly_owned[0]) > 0

    def mixed(self, rows: np.ndarray) -> np.ndarray:
        """(R, n) weighted means of (N, n) rows of the clips."""
        result = np.empty((self.size, rows.shape[1]))
        self._sums(rows.T, result.T)
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
        rescaled = self.recipe.rescaled
        result = np.empty((len(known), len(chosen), self.size))
        for of_band, offsets, out in zip(known, h, result, strict=True):
            rows = np.empty((len(chosen), self.bank.size))
            _mix_rows(part, of_band, metric, rows)
            self._sums(rows, out)
            between(out, (offsets[chosen, None], offsets), (rescaled[chosen, None], rescaled), metric)
        return result

    def sums_of_squares(self, metric: str, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(R, C) sums, of sums over the parents on both sides."""
        part, h = self.recipe.take(rows), self._offsets(metric, 1)[0]
        parents, place = np.unique(part.parents, return_inverse=True)
        of_parents = np.zeros((len(parents), weights.shape[1]))
        np.add.at(of_parents, place.reshape(part.parents.shape), part.weights[:, :, None] * weights[:, None])
        total = self.mixed(of_bank(self.bank).sums_of_squares(metric, parents, of_parents))
        return total - np.outer(h, weights.sum(axis=0)) - h[rows] @ weights

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
            result[band, clips - start, references] = cosine(away, 1 - left, rescaled)
        return result

    def nearest_changed(
        self,
        clips: Queries | None,
        metric: str,
        bands: int,
        k: int,
        change: tuple[np.ndarray, np.ndarray] | None,
        without: Sequence[Pairs] | None,
    ) -> dict[int, Found] | None:
        """As of the references, by squared distances where the metric is Euclidean."""
        if k > self.size // MOST or (clips is None and self.moves_with_clips):
            return None
        if change is not None and metric == "euclidean":
            factor, offset = change
            change = np.square(factor), offset  # of squared distances
            if offset.any() or not np.isfinite(change[0]).all():
                return None
        parts = []
        to_clips = of_bank(self.bank).nearest(clips, metric, bands, k)
        least = np.minimum.reduce([values[..., 0] for values in to_clips.values()])
        for band, known in enumerate((clips or self.bank).distances(metric, bands)):
            scale, shift = from_clips(self._offsets(metric, bands)[band], self.recipe.rescaled, metric)
            if change is not None:
                scale, shift = change[0][band] * scale, change[0][band] * shift + change[1][band]
            gone = None if clips is not None else self._left_out_pairs(without, band)
            parts.append(
                self._by_domain.nearest(
                    lambda rows, out, known=known: in_units(known[rows], metric, out),
                    known.shape,
                    (UNIT[metric] * scale, shift),
                    k,
                    gone=gone,
                    least=in_units(least[band], metric),
                )
            )
        result = {domain: Found.stacked([part[domain] for part in parts]) for domain in parts[0]}
        if change is not None and change[1].any():
            return result
        return {
            domain: Found(from_units(found.value, metric), found.number) for domain, found in result.items()
        }

    def to_pairs(
        self,
        clips: Queries | None,
        metric: str,
        bands: int,
        band: int,
        rows: np.ndarray,
        references: np.ndarray,
    ) -> np.ndarray:
        """(n,) distances, pair by pair."""
        known, recipe = (clips or self.bank).distances(metric, bands)[band], self.recipe.take(references)
        square = _mean_at(recipe, rows, known, metric)
        scale, shift = from_clips(self._offsets(metric, bands)[band], self.recipe.rescaled, metric)
        return from_units(scale[references] * square - shift[references], metric)

    def _look_up(self, metric: str, bands: int, count: int) -> Neighbours:
        """As of the references: which are the nearest follows from what grows with the distance."""
        if count > self.size // MOST:
            return super()._look_up(metric, bands, count)
        index, distance = (np.empty((bands, self.size, count), dtype=kind) for kind in (np.int64, np.float64))
        everything = np.arange(self.size)
        h, rescaled = self._offsets(metric, bands), self.recipe.rescaled
        for band, known in enumerate(self.bank.distances(metric, bands)):

            def mixed(rows: slice, out: np.ndarray, known=known) -> np.ndarray:
                _mix_rows(self.recipe.take(rows), known, metric, out)
                return out

            number = self._in_one.nearest(
                mixed,
                (self.size, self.bank.size),
                from_means(h[band], rescaled, metric),
                count,
                gone=(everything, everything),
            )[ANY].number
            total = _total(self.recipe, known, metric, number)
            of_rows, of_columns = (h[band][:, None], h[band][number]), (rescaled[:, None], rescaled[number])
            between(total, of_rows, of_columns, metric)
            order = np.argsort(total, axis=1, kind="stable")
            index[band], distance[band] = (np.take_along_axis(part, order, 1) for part in (number, total))
        return Neighbours(index, distance)

    def _in_runs(self, group: np.ndarray) -> Runs:
        return Runs.of(self.recipe, self.bank.size, group)

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
        rows = known[as_slice(different)]
        total = product(in_units(rows, metric), dense)[place, column] * UNIT[metric]
        square = total - h[references]
        square[square <= ROUNDING * np.abs(total)] = 0.0
        return square

    def _lists(self, metric: str, bands: int) -> dict:
        return self._known.setdefault(("lists", metric, bands), {})

    def _mixed(self, distances: np.ndarray, metric: str, bands: int, which: slice) -> np.ndarray:
        """(bands, M, N) distances to clips to (bands, M, R) distances to the references."""
        h = self._offsets(metric, bands)[which]
        result = np.empty((*distances.shape[:2], self.size))
        for band, of_band in enumerate(distances):
            square = in_units(of_band, metric)
            scale, shift = from_clips(h[band], self.recipe.rescaled, metric)
            values = self._in_one.values(square, (UNIT[metric] * scale, shift))
            result[band] = from_units(values, metric)
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
                for block in self._blocks:
                    h[band, block.columns] = block.offsets(known, metric)
            self._known[key] = h
        return self._known[key]


def _mix_rows(recipe: Recipe, distances: np.ndarray, metric: str, out: np.ndarray) -> None:
    """Write for each reference the weighted mean of its parents' squared distances to the clips: (R, N)."""
    used = np.flatnonzero((recipe.weights != 0).any(axis=0))
    if len(used) > FEW:
        out[...] = product(recipe.matrix(len(distances)), squared(distances, metric))  # which is symmetric
        return
    np.take(distances, recipe.parents[:, used[0]], axis=0, out=out, mode="clip")
    in_units(out, metric, out)
    weights = UNIT[metric] * recipe.weights
    some = weights[:, used[0]]
    if (some != 1).any():
        out *= some[:, None]
    for p in used[1:]:
        some = np.flatnonzero(weights[:, p])
        more = distances.take(recipe.parents[some, p], axis=0)
        more = in_units(more, metric, more)
        more *= weights[some, p, None]
        if len(some) == len(out):
            out += more
        else:
            out[some] += more


def _total(recipe: Recipe, distances: np.ndarray, metric: str, others: np.ndarray) -> np.ndarray:
    """(R, n) mean squared distances of all parents of each reference to those of (R, n) others."""
    parents, weights = recipe.parents, recipe.weights
    total = np.zeros(others.shape)
    for p in range(parents.shape[1]):
        for q in range(parents.shape[1]):
            at = squared(distances[parents[:, p, None], parents[others, q]], metric)
            total += weights[:, p, None] * weights[others, q] * at
    return total


def _mean_at(recipe: Recipe, clips: np.ndarray, distances: np.ndarray, metric: str) -> np.ndarray:
    """(n,) mean squared distance of each clip to the parents of each reference, pair by pair."""
    total = np.zeros(len(clips))
    for p in range(recipe.parents.shape[1]):
        total += recipe.weights[:, p] * squared(distances[clips, recipe.parents[:, p]], metric)
    return total
