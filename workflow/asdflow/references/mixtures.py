"""References that are weighted means of clips: cluster centres, clips interpolated between two.

Their distances follow from the distances between clips, without the vectors (`mixed_distances`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from asdflow.geometry.clustering import canonical_order
from asdflow.geometry.neighbours import Neighbours
from asdflow.references.bank import Queries
from asdflow.references.mixed_distances import (
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
from asdflow.references.parents import Parents
from asdflow.references.recipes import Recipe
from asdflow.references.references import ALL, ANY, MOST, Pairs, References, of_bank
from asdflow.references.search import Found


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
        self.parents = Parents.of(recipe, references.bank.size)
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
        return self.parents.mixed(rows, self.parents.many @ rows)

    def to(
        self, queries: Queries, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances."""
        return self._mixed(queries, metric, bands, rows, which)

    def from_bank(
        self, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances."""
        return self._mixed(None, metric, bands, rows, which)

    def between(
        self, metric: str, bands: int = 1, rows: slice | np.ndarray = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances: a reference is as far from a clip as the mean of its parents is."""
        chosen = np.arange(self.size)[rows]
        numbers, h = np.arange(bands)[which], self._offsets(metric, bands)[which]
        rescaled = self.recipe.rescaled
        result = np.empty((len(numbers), len(chosen), self.size))
        for band, offsets, out in zip(numbers, h, result, strict=True):
            to_clips = self._to_clips(chosen, metric, bands, band)
            out[...] = self.parents.values(to_clips, self._to_many(chosen, metric, bands, band))
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
        for band, number in enumerate(np.arange(bands)[which]):
            square = self._squares_to(clips, references, metric, bands, number)
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
            of_many = self._of_many(clips, metric, bands, band)
            parts.append(
                self._by_domain.nearest(
                    lambda rows, out, known=known: in_units(known[rows], metric, out),
                    known.shape,
                    (UNIT[metric] * scale, shift),
                    k,
                    of_many=of_many,
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

            def mixed(rows: slice, out: np.ndarray, band: int = band) -> np.ndarray:
                return self._to_clips(rows, metric, bands, band, out)

            number = self._in_one.nearest(
                mixed,
                (self.size, self.bank.size),
                from_means(h[band], rescaled, metric),
                count,
                of_many=self._to_many(everything, metric, bands, band),
                gone=(everything, everything),
            )[ANY].number
            total = _total(self.recipe, known, metric, number)
            of_rows, of_columns = (h[band][:, None], h[band][number]), (rescaled[:, None], rescaled[number])
            between(total, of_rows, of_columns, metric)
            order = np.argsort(total, axis=1, kind="stable")
            index[band], distance[band] = (np.take_along_axis(part, order, 1) for part in (number, total))
        return Neighbours(index, distance)

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
        self, clips: np.ndarray, references: np.ndarray, metric: str, bands: int, band: int
    ) -> np.ndarray:
        """(n,) squared distances of clips of the bank to references, pair by pair."""
        known = in_units(self.bank.distances(metric, bands)[band], metric)
        wanted, column = np.unique(references, return_inverse=True)
        means = self.parents.take(wanted).values(known, self._of_many(None, metric, bands, band))
        total = means[clips, column] * UNIT[metric]
        square = total - self._offsets(metric, bands)[band][references]
        square[square <= ROUNDING * np.abs(total)] = 0.0
        return square

    def _lists(self, metric: str, bands: int) -> dict:
        return self._known.setdefault(("lists", metric, bands), {})

    def _mixed(self, clips: Queries | None, metric: str, bands: int, rows: slice, which: slice) -> np.ndarray:
        """(bands, rows, R) distances of clips (None: of the bank) to the references."""
        known = (clips or self.bank).distances(metric, bands)
        result = np.empty((len(known[which]), len(known[0, rows]), self.size))
        for out, band in zip(result, np.arange(bands)[which], strict=True):
            scale, shift = from_clips(self._offsets(metric, bands)[band], self.recipe.rescaled, metric)
            square, of_many = in_units(known[band, rows], metric), self._of_many(clips, metric, bands, band)
            values = self.parents.values(square, of_many[rows], (UNIT[metric] * scale, shift))
            out[...] = from_units(values, metric)
        return result

    def _of_many(self, clips: Queries | None, metric: str, bands: int, band: int) -> np.ndarray:
        """(M, n) mean squared distances, in units, to the parents of the references of many clips."""
        asked = clips or self.bank
        return asked.remember(
            ("of many", self, metric, bands, band),
            lambda: self.parents.of_many(in_units(asked.distances(metric, bands)[band], metric)),
        )

    def _to_clips(
        self, rows: slice | np.ndarray, metric: str, bands: int, band: int, out: np.ndarray | None = None
    ) -> np.ndarray:
        """(rows, N) mean squared distances of the parents of references to the clips, in `out` if given."""
        known, of_many = self.bank.distances(metric, bands)[band], self._of_many(None, metric, bands, band)
        part = self.parents.take(rows)
        result = part.mixed(known, of_many.T, squares=metric == "euclidean", out=out)
        result *= UNIT[metric]
        return result

    def _to_many(self, rows: slice | np.ndarray, metric: str, bands: int, band: int) -> np.ndarray:
        """(rows, n) mean squared distances of the parents of references to those of many clips."""
        of_many = self._of_many(None, metric, bands, band)
        return UNIT[metric] * self.parents.take(rows).mixed(of_many, self.parents.of_many(of_many.T))

    def _offsets(self, metric: str, bands: int) -> np.ndarray:
        """(bands, R): h = 1/2 sum_pq w_p w_q |b_p - b_q|^2 of every reference."""
        key = ("offsets", metric, bands)
        if key not in self._known:
            h, parents = np.zeros((bands, self.size)), self.parents
            two, many = np.flatnonzero(parents.common >= 0), np.flatnonzero(parents.other >= self.bank.size)
            share = parents.share[two]
            for band, known in enumerate(self.bank.distances(metric, bands)):
                apart = squared(known[parents.common[two], parents.other[two]], metric)
                h[band, two] = share * (1 - share) * apart
                across = self._of_many(None, metric, bands, band)
                h[band, many] = 0.5 * UNIT[metric] * np.einsum("rn,nr->r", parents.many, across)
            self._known[key] = h
        return self._known[key]


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
