"""What a backend compares a clip with, and the nearest of it.

Distances to references are made a batch of rows at a time and reduced to the nearest of each domain, which is
all that a neighbour backend looks at: nothing here needs clips x references in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from asdflow.geometry.distances import nearest_by_tiles
from asdflow.geometry.linear import IN_CACHE
from asdflow.geometry.neighbours import Neighbours, as_slice, in_order, nearest_others, smallest
from asdflow.references.bank import Embedded
from asdflow.references.candidates import ANY, Candidates
from asdflow.references.means import Means
from asdflow.references.mixed_distances import Affine, from_means, of_means
from asdflow.references.recipes import NOBODY, Pairs, Recipe
from asdflow.references.search import Runs

#: Distances that are kept for all detectors at most (0.5 GB); beyond, the nearest are found tile by tile.
WHOLE = 2**26
#: Share of the mixtures, 1 / MOST, of which the nearest are searched; more are sorted.
MOST = 8

#: (divisor, offset): what distances to references are divided by, and what is then taken off.
Scaling = tuple[np.ndarray, np.ndarray]


class References(Means, Candidates):
    """What a clip is compared with: clips of a bank or means of them, and the nearest of each domain."""

    def take(self, rows: np.ndarray) -> References:
        """Only the references of these numbers."""
        return self.remade(self.recipe.take(rows))

    def remade(self, recipe: Recipe) -> References:
        """Others, made of the same bank by another recipe."""
        return References(self.bank, self.space, recipe)

    def search(
        self,
        clips: Embedded,
        k: int,
        scaling: Scaling | None = None,
        gone: Sequence[Pairs] | None = None,
    ) -> dict[int, np.ndarray]:
        """As `nearest`, of distances divided by a divisor less an offset, both (bands, R).

        `gone` are in each band pairs of a clip and a reference, by clip, that are left out too.
        """
        known = clips.knows(self.space) or self.space.bands * clips.size * self.size <= WHOLE
        if self.clips is not None and scaling is None and not known:
            return self._by_tiles(clips, k)
        if self._searchable(k) and not (clips is self.bank and self.moves):
            affine = self._searched_by(scaling)
            if affine is not None:
                return self._among_mixtures(clips, k, affine, scaling, gone)
        result = {domain: np.full((self.space.bands, clips.size, k), np.inf) for domain in self._groups}
        for rows in self._batches(clips.size):
            batch = self.left_out(rows) if clips is self.bank else self.to(clips, rows)
            if scaling is not None:
                batch = scaled(batch, *(part[:, None] for part in scaling))
            for band, (away, references) in enumerate(gone or []):
                some = slice(*np.searchsorted(away, (rows.start, rows.stop)))
                batch[band, away[some] - rows.start, references[some]] = np.inf
            for domain, columns in self._groups.items():
                found = smallest(batch[..., columns], k)
                result[domain][:, rows, : found.shape[-1]] = found
        return result

    def neighbours(self, count: int) -> Neighbours:
        """The `count` nearest other references of each, or as many as there are."""
        count = min(count, self.size - 1)
        if not self._lists or self._lists[0].index.shape[-1] < count:
            self._lists[:] = [self._look_up(count)]
        return self._lists[0].first(count)

    def distinct(self, count: int = 1) -> References:
        """One reference for each set of exact copies; leaving one of several copies out changes nothing.

        `count` neighbours of each are looked up on the way.
        """
        if self.size == 1:
            return self
        first = np.arange(self.size)
        for row in np.flatnonzero((self.neighbours(count).distance[..., 0] == 0).all(axis=0)):
            same = (self.among(np.array([row]))[:, 0] == 0).all(axis=0)
            first[row] = min(row, int(same.argmax()))  # a reference is a copy of itself, come what may
        kept = np.flatnonzero(first == np.arange(self.size))
        if len(kept) == self.size:
            return self
        recipe = self.recipe.take(kept)
        for place, row in enumerate(kept):
            copies = np.flatnonzero(first == row)
            if len(copies) > 1:
                common = set.intersection(*[set(self.owners[copy]) for copy in copies]) - {NOBODY}
                recipe.owners[place] = NOBODY
                recipe.owners[place, : len(common)] = sorted(common)
        return self.remade(recipe)

    # -- how they are found ----------------------------------------------------------------------------------

    def _batches(self, count: int) -> Iterator[slice]:
        """Rows whose distances to all references, in all bands, make one batch."""
        step = max(1, IN_CACHE // (self.size * self.space.bands))
        for start in range(0, count, step):
            yield slice(start, min(start + step, count))

    def _by_tiles(self, clips: Embedded, k: int) -> dict[int, np.ndarray]:
        """`search` among clips whose distances do not fit into memory."""
        bands, numbers = self.space.bands, np.arange(self.bank.size)[self.clips]
        own = numbers if clips is self.bank else None
        return {
            domain: np.stack(
                [
                    nearest_by_tiles(
                        clips.band(band, bands),
                        self.bank.band(band, bands)[numbers[columns]],
                        self.space.metric,
                        k,
                        None if own is None else own[columns],
                    )
                    for band in range(bands)
                ]
            )
            for domain, columns in self._groups.items()
        }

    def _searchable(self, k: int) -> bool:
        """Whether the nearest are searched: k of many mixtures of two clips."""
        return self.clips is None and self.recipe.parents.shape[1] == 2 and k <= self.size // MOST

    def _searched_by(self, scaling: Scaling | None) -> list[Affine] | None:
        """For each band what makes values in the order of the scaled distances of mean squared distances.

        None where no such pair of factor and offset does.
        """
        if scaling is None:
            return self.affine
        divisor, offset = scaling
        squared = self.space.metric == "euclidean"
        if squared and (offset.any() or not divisor.all()):
            return None
        with np.errstate(divide="ignore"):
            factor = 1 / (np.square(divisor) if squared else divisor)
        return [
            (f * scale, f * shift + o)
            for f, o, (scale, shift) in zip(factor, offset, self.affine, strict=True)
        ]

    def _among_mixtures(
        self,
        clips: Embedded,
        k: int,
        affine: list[Affine],
        scaling: Scaling | None,
        gone: Sequence[Pairs] | None,
    ) -> dict[int, np.ndarray]:
        """`search` among mixtures of two clips."""
        own, runs = clips is self.bank, self._by_domain
        result = np.full((self.space.bands, clips.size, len(runs.names), k), np.inf)
        for band, known in enumerate(clips.distances(self.space)):
            taken = self.owned(0, self.bank.size) if own else NOTHING
            if gone is not None:
                clip, reference = (np.concatenate(parts) for parts in zip(taken, gone[band], strict=True))
                order = in_order(clip)
                taken = clip[order], reference[order]
            value, number = runs.nearest(
                lambda rows, known=known: self.space.squares(known[rows]),
                known.shape,
                affine[band],
                k,
                taken,
                own,
            )
            found = np.isfinite(value)
            number = number[found]
            distances = self.at(clips, band, np.nonzero(found)[0], number)
            if scaling is not None:
                distances = scaled(distances, *(part[band, number] for part in scaling))
            result[band][found] = distances
        result.sort(axis=-1)
        return {int(domain): result[:, :, place] for place, domain in enumerate(runs.names)}

    def _look_up(self, count: int) -> Neighbours:
        """`neighbours`, found anew."""
        shape = self.space.bands, self.size, count
        lists = Neighbours(np.empty(shape, dtype=np.int64), np.empty(shape))
        if not self._searchable(count):
            for rows in self._batches(self.size):
                part = nearest_others(self.among(rows), rows.start, count)
                lists.index[:, rows], lists.distance[:, rows] = part.index, part.distance
            return lists
        everything, rescaled = np.arange(self.size), self.recipe.rescaled
        for band, known in enumerate(self.bank.distances(self.space)):
            square, h = self.space.squares(known), self.variance[band]
            scale, shift = from_means(h, rescaled, self.space.metric)
            value, number = self._in_one.nearest(
                lambda rows, square=square: self.weights[rows] @ square,
                (self.size, self.bank.size),
                (scale, shift),
                count,
                (everything, everything),
            )
            value, number = value[:, 0], number[:, 0]
            total = (value + shift[number]) / scale[number]
            of_means(total, (h[:, None], h[number]), (rescaled[:, None], rescaled[number]), self.space.metric)
            order = np.argsort(total, axis=1, kind="stable")
            lists.index[band], lists.distance[band] = (
                np.take_along_axis(part, order, axis=1) for part in (number, total)
            )
        return lists

    @cached_property
    def _lists(self) -> list[Neighbours]:
        """The longest lists of neighbours that were asked for, if any were."""
        return []

    @cached_property
    def _groups(self) -> dict[int, slice | np.ndarray]:
        """Numbers of the references of each domain; of all where there are none."""
        if self.domain is None:
            return {ANY: slice(None)}
        return {int(one): as_slice(np.flatnonzero(self.domain == one)) for one in np.unique(self.domain)}

    @cached_property
    def _by_domain(self) -> Runs:
        """References in runs, each domain a group."""
        return self._in_one if self.domain is None else Runs.of(self.recipe, self.domain)

    @cached_property
    def _in_one(self) -> Runs:
        """References in runs of one group."""
        return Runs.of(self.recipe, np.full(self.size, ANY))


def scaled(distances: np.ndarray, divisor: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Distances over a divisor, less an offset; infinite where that is no number."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        values = distances / divisor
        values -= offset
    values[np.isnan(values)] = np.inf
    return values


#: No pairs.
NOTHING = (np.zeros(0, dtype=np.int64),) * 2
