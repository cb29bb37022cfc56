"""What a backend compares a clip with: the clips of the bank, less those made of a clip that is left out.

Distances to references are produced a batch of rows at a time and reduced to the nearest of each domain,
which is all that a neighbour backend looks at: nothing here needs clips x references in memory, and the
nearest are found once for all detectors that ask.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from asdflow.geometry.neighbours import Neighbours, as_slice, in_order, nearest_others, smallest
from asdflow.geometry.tiles import nearest_by_tiles
from asdflow.references.bank import Bank, Queries
from asdflow.references.mixed_distances import squared
from asdflow.references.parents import Parents
from asdflow.references.recipes import NOBODY
from asdflow.references.search import Found, Runs

#: Distances that are kept for all detectors at most (0.5 GB); beyond, the nearest are found tile by tile.
WHOLE = 2**26
#: Distances of one batch of rows: they stay in the cache while they are mixed, changed and reduced.
BATCH = 2**16
#: All bands.
ALL = slice(None)
#: Domain of all references where the bank has none.
ANY = -1

#: Share of the references, 1 / MOST, of which the nearest are searched; more are sorted.
MOST = 8

#: Clips, ascending, and references.
Pairs = tuple[np.ndarray, np.ndarray]

#: (bands, clips, k) nearest distances in ascending order, by domain; infinite where there are fewer.
ByDomain = Mapping[int, np.ndarray]


class References:
    """The bank's clips as they are.

    Attributes
    ----------
    bank : Bank
    size : int
        Number of references R.
    domain : (R,) int or None
        0 source, 1 target.
    owners : (R, P) int
        Clips that take a reference away when they are left out; NOBODY fills up.
    """

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.size = bank.size
        self.domain = bank.domain
        self.owners = np.arange(bank.size)[:, None]

    @property
    def vectors(self) -> np.ndarray:
        """(R, D) float."""
        return self.bank.vectors

    @property
    def order(self) -> np.ndarray:
        """(R,) their numbers in an order that depends on their vectors alone."""
        return self.bank.order

    @property
    def moves_with_clips(self) -> bool:
        """Whether leaving a clip out moves references that it does not take away."""
        return False

    def remember(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """`make()`, computed at the first call with this key only; the bank holds it, and may forget it."""
        return self.bank.remember((self, key), make)

    # -- distances: of chosen rows, in the bands that are wanted (`which`) -----------------------------------

    def to(
        self, queries: Queries, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances from the clips to be scored. Not to be written to."""
        return queries.distances(metric, bands)[which, rows]

    def from_bank(
        self, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances from the bank's clips. Not to be written to."""
        return self.bank.distances(metric, bands)[which, rows]

    def between(
        self, metric: str, bands: int = 1, rows: slice | np.ndarray = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances from some references to all. Not to be written to."""
        return self.bank.distances(metric, bands)[which, rows]

    def left_out(
        self, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances from clips of the bank, infinite to references that they take away."""
        result = np.array(self.from_bank(metric, bands, rows, which))
        start, stop, _ = rows.indices(self.bank.size)
        clips, references = self.owned(start, stop)
        result[:, clips - start, references] = np.inf
        return result

    def sums_of_squares(self, metric: str, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(R, C) sums of (rows, C) weights times the squared distances of these references to all.

        Squared where vectors are mixed: for the cosine of unit vectors.
        """
        total = np.zeros((self.size, weights.shape[1]))
        step = max(1, BATCH // self.size)
        for start in range(0, len(rows), step):
            some = slice(start, start + step)
            total += squared(self.between(metric, 1, rows[some])[0], metric).T @ weights[some]
        return total

    def owned(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (clip, reference that it takes away) of the clips from `start` to before `stop`."""
        clips, references = self._owned
        low, high = np.searchsorted(clips, (start, stop))
        return clips[low:high], references[low:high]

    def owned_by(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (place in `clips`, reference that this clip takes away)."""
        owner, references = self._owned
        low, high = np.searchsorted(owner, clips), np.searchsorted(owner, clips, side="right")
        place = np.repeat(np.arange(len(clips)), high - low)
        before = np.cumsum(high - low) - (high - low)
        return place, references[np.arange(len(place)) + (low - before)[place]]

    @cached_property
    def _owned(self) -> tuple[np.ndarray, np.ndarray]:
        references, places = np.nonzero(self.owners != NOBODY)
        clips = self.owners[references, places]
        order = in_order(clips)
        return clips[order], references[order]

    def batches(self, count: int, bands: int) -> Iterator[tuple[slice, slice]]:
        """A band, and rows whose distances to all references make one batch."""
        step = max(1, BATCH // self.size)
        for band in range(bands):
            for start in range(0, count, step):
                yield slice(band, band + 1), slice(start, min(start + step, count))

    # -- the nearest -----------------------------------------------------------------------------------------

    def nearest(self, clips: Queries | None, metric: str, bands: int, k: int) -> ByDomain:
        """The k smallest distances to the references of each domain.

        Parameters
        ----------
        clips : Queries, or None
            None stands for the bank's clips, each left out in turn.
        """
        memory = (clips or self.bank).remember(("nearest", clips is None, self, metric, bands), dict)
        if memory.get("k", 0) < k:
            memory["k"], memory["lists"] = k, self._nearest(clips, metric, bands, k)
        return {domain: values[..., :k] for domain, values in memory["lists"].items()}

    def _nearest(self, clips: Queries | None, metric: str, bands: int, k: int) -> dict[int, np.ndarray]:
        count = self.bank.size if clips is None else clips.size
        known = (clips or self.bank).knows(metric, bands)
        if type(self) is References and not known and bands * count * self.size > WHOLE:
            return self._tiled(clips, metric, bands, k)
        searched = self.nearest_changed(clips, metric, bands, k, None, None)
        if searched is not None:
            return {domain: found.value for domain, found in searched.items()}
        return self._nearest_of_all(clips, metric, bands, k)

    def _nearest_of_all(
        self, clips: Queries | None, metric: str, bands: int, k: int
    ) -> dict[int, np.ndarray]:
        """`_nearest` by making all distances."""
        groups = _groups(self.domain)
        count = self.bank.size if clips is None else clips.size
        result = {domain: np.full((bands, count, k), np.inf) for domain in groups}
        for band, rows in self.batches(count, bands):
            if clips is None:
                batch = self.left_out(metric, bands, rows, band)
            else:
                batch = self.to(clips, metric, bands, rows, band)
            for domain, columns in groups.items():
                found = smallest(batch[..., columns], k)
                result[domain][band, rows, : found.shape[-1]] = found
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
        """As `nearest`, of distances multiplied by a factor less an offset, both (bands, R); with numbers.

        `without` are in each band further pairs of a clip and a reference that are left out. None where this
        is not known how to do, or not worth it.
        """
        if k > self.size // MOST or (clips is None and self.moves_with_clips):
            return None
        if change is None:
            change = np.ones((bands, self.size)), np.zeros((bands, self.size))
        parts = []
        for band, affine in enumerate(zip(*change, strict=True)):
            one = slice(band, band + 1)

            def distances(rows: slice, out: np.ndarray, one: slice = one) -> np.ndarray:
                if clips is None:
                    return _in_rows(self.from_bank(metric, bands, rows, one)[0], out)
                return _in_rows(self.to(clips, metric, bands, rows, one)[0], out)

            gone = None if clips is not None else self._left_out_pairs(without, band)
            count = self.bank.size if clips is None else clips.size
            parts.append(self._by_domain.nearest(distances, (count, self.size), affine, k, gone=gone))
        return {domain: Found.stacked([part[domain] for part in parts]) for domain in parts[0]}

    def _left_out_pairs(self, without: Sequence[Pairs] | None, band: int) -> Pairs:
        """Pairs of a clip and a reference that it takes away, and those of `without`, by clip."""
        gone = self.owned(0, self.bank.size)
        if without is None:
            return gone
        clips, references = (np.concatenate(parts) for parts in zip(gone, without[band], strict=True))
        order = in_order(clips)
        return clips[order], references[order]

    def to_pairs(
        self,
        clips: Queries | None,
        metric: str,
        bands: int,
        band: int,
        rows: np.ndarray,
        references: np.ndarray,
    ) -> np.ndarray:
        """(n,) distances of clips (None: of the bank) to references, pair by pair, by their numbers."""
        return (clips or self.bank).distances(metric, bands)[band, rows, references]

    @cached_property
    def _by_domain(self) -> Runs:
        """References in runs, each domain a group."""
        return self._in_one if self.domain is None else self._in_runs(self.domain)

    @cached_property
    def _in_one(self) -> Runs:
        """References in runs of one group."""
        return self._in_runs(np.full(self.size, ANY))

    def _in_runs(self, group: np.ndarray) -> Runs:
        return Runs.of(self.parents, group)

    @cached_property
    def parents(self) -> Parents:
        """What the references are made of."""
        return Parents.of_clips(self.size)

    def _tiled(self, clips: Queries | None, metric: str, bands: int, k: int) -> dict[int, np.ndarray]:
        """`_nearest` of banks whose distances to the clips do not fit into memory."""
        asked = self.bank if clips is None else clips
        result = {}
        for domain, columns in _groups(self.domain).items():
            numbers = np.arange(self.size)[columns]
            result[domain] = np.stack(
                [
                    nearest_by_tiles(
                        asked.band(band, bands),
                        self.bank.band(band, bands)[columns],
                        metric,
                        k,
                        numbers if clips is None else None,
                    )
                    for band in range(bands)
                ]
            )
        return result

    def neighbours(self, metric: str, bands: int, count: int) -> Neighbours:
        """The `count` nearest other references of each, or as many as there are."""
        count = min(count, self.size - 1)
        known = self._lists(metric, bands)
        if "list" not in known or known["list"].index.shape[-1] < count:
            known["list"] = self._look_up(metric, bands, count)
        return known["list"].first(count)

    def _look_up(self, metric: str, bands: int, count: int) -> Neighbours:
        shape = bands, self.size, count
        lists = Neighbours(np.empty(shape, dtype=np.int64), np.empty(shape))
        if count <= self.size // MOST:
            everything = np.arange(self.size)
            plain = np.ones(self.size), np.zeros(self.size)
            for band in range(bands):

                def distances(rows: slice, out: np.ndarray, one: slice = slice(band, band + 1)) -> np.ndarray:
                    return _in_rows(self.between(metric, bands, rows, one)[0], out)

                found = self._in_one.nearest(
                    distances, (self.size, self.size), plain, count, gone=(everything, everything)
                )[ANY]
                lists.index[band], lists.distance[band] = found.number, found.value
            return lists
        for band, rows in self.batches(self.size, bands):
            part = nearest_others(self.between(metric, bands, rows, band), rows.start, count)
            lists.index[band, rows], lists.distance[band, rows] = part.index, part.distance
        return lists

    # -- parts -----------------------------------------------------------------------------------------------

    def subset(self, rows: np.ndarray) -> References:
        """Only the references of these numbers."""
        return Subset(self, rows, self.owners[rows])

    def distinct(self, metric: str, bands: int, count: int = 1) -> References:
        """One reference for each set of exact copies; leaving one of several copies out changes nothing.

        `count` neighbours of each are looked up on the way, and remembered.
        """
        if self.size == 1:
            return self
        close = (self.neighbours(metric, bands, count).distance[..., 0] == 0).all(axis=0)
        if not close.any():
            return self
        first = np.arange(self.size)
        for row in np.flatnonzero(close):
            same = (self.between(metric, bands, np.array([row]))[:, 0] == 0).all(axis=0)
            first[row] = min(row, int(same.argmax()))  # a reference is a copy of itself, come what may
        if (first == np.arange(self.size)).all():
            return self
        owners = self.owners.copy()
        for kept in np.unique(first[first != np.arange(self.size)]):
            copies = np.flatnonzero(first == kept)
            common = set.intersection(*[set(self.owners[copy]) for copy in copies]) - {NOBODY}
            owners[kept] = NOBODY
            owners[kept, : len(common)] = sorted(common)
        rows = np.flatnonzero(first == np.arange(self.size))
        return Subset(self, rows, owners[rows])

    def _lists(self, metric: str, bands: int) -> dict:
        return self.bank.remember(("neighbours", metric, bands), dict)


def of_bank(bank: Bank) -> References:
    """The clips of a bank; the same object at each call, which remembers what is nearest."""
    return bank.remember("references", lambda: References(bank))


class Subset(References):
    """Some of the references."""

    def __init__(self, inner: References, rows: np.ndarray, owners: np.ndarray) -> None:
        self.bank, self.inner, self.rows = inner.bank, inner, rows
        self.size = len(rows)
        self.domain = None if inner.domain is None else inner.domain[rows]
        self.owners = owners
        self._known: dict = {}

    @property
    def vectors(self) -> np.ndarray:
        """(R, D) float."""
        return self.inner.vectors[self.rows]

    @property
    def order(self) -> np.ndarray:
        """(R,) numbers, as those of the references that these are a part of."""
        return ordered(np.arange(self.size), self.rows, self.inner.order)

    def to(
        self, queries: Queries, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances."""
        return self.inner.to(queries, metric, bands, rows, which)[:, :, self._columns]

    def from_bank(
        self, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances."""
        return self.inner.from_bank(metric, bands, rows, which)[:, :, self._columns]

    def between(
        self, metric: str, bands: int = 1, rows: slice | np.ndarray = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances."""
        return self.inner.between(metric, bands, self.rows[rows], which)[:, :, self._columns]

    @property
    def moves_with_clips(self) -> bool:
        """As those that these are a part of."""
        return self.inner.moves_with_clips

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
        return self.inner.to_pairs(clips, metric, bands, band, rows, self.rows[references])

    def left_out(
        self, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) distances; infinite by the owners here, which may be fewer than those behind."""
        if not self.moves_with_clips:
            return super().left_out(metric, bands, rows, which)
        result = np.array(self.inner.left_out(metric, bands, rows, which)[:, :, self._columns])
        start, stop, _ = rows.indices(self.bank.size)
        clips, references = self.inner.owned(start, stop)
        references = self._place[references]
        clips, references = clips[references >= 0], references[references >= 0]
        kept = ~(self.owners[references] == clips[:, None]).any(axis=1)
        plain = self.from_bank(metric, bands, rows, which)
        result[:, clips[kept] - start, references[kept]] = plain[:, clips[kept] - start, references[kept]]
        return result

    @cached_property
    def _columns(self) -> slice | np.ndarray:
        return as_slice(self.rows)

    @cached_property
    def _place(self) -> np.ndarray:
        """(inner references,) number here; -1 where it is not among these."""
        place = np.full(self.inner.size, -1)
        place[self.rows] = np.arange(self.size)
        return place

    def _look_up(self, metric: str, bands: int, count: int) -> Neighbours:
        """Out of the lists of all references where these are known and long enough."""
        known = self.inner._lists(metric, bands).get("list")
        if known is None or known.index.shape[-1] < count:
            return super()._look_up(metric, bands, count)
        near = self._place[known.index[:, self.rows]]
        here = near >= 0
        order = np.argsort(~here, axis=-1, kind="stable")[..., :count]
        index = np.take_along_axis(near, order, axis=-1)
        distance = np.take_along_axis(known.distance[:, self.rows], order, axis=-1)
        for band in range(bands):
            short = np.flatnonzero(index[band, :, -1] < 0)
            if len(short):
                one = slice(band, band + 1)
                between = np.array(self.between(metric, bands, short, one)[0])
                between[np.arange(len(short)), short] = np.inf
                found = np.argsort(between, axis=-1)[:, :count]
                index[band, short] = found
                distance[band, short] = np.take_along_axis(between, found, axis=-1)
        return Neighbours(index, distance)

    def _lists(self, metric: str, bands: int) -> dict:
        return self._known.setdefault((metric, bands), {})


def _in_rows(distances: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The same distances one row after the other in memory: a copy, in `out`, where they are not."""
    if distances.flags.c_contiguous and distances.flags.writeable:
        return distances
    out[...] = distances
    return out


def ordered(numbers: np.ndarray, rows: np.ndarray, order: np.ndarray) -> np.ndarray:
    """`numbers`, one for each of `rows`, as these rows follow each other in `order`."""
    return numbers[np.argsort(np.argsort(order)[rows])]


def _groups(domain: np.ndarray | None) -> dict[int, slice | np.ndarray]:
    """Numbers of the references of each domain; of all where there are none."""
    if domain is None:
        return {ANY: slice(None)}
    return {int(one): as_slice(np.flatnonzero(domain == one)) for one in np.unique(domain)}
