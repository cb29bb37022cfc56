"""The nearest mixtures of each point, without all of its distances.

Ten target clips mixed with a thousand source clips make ten thousand references, in each of eight bands: the
distances of a bank to them are a hundred million numbers of which only the smallest of each row are looked
at. Most need not be made: mixtures with one common clip, in which they are at a, are at least as far as

    min of the factor of a * |x - a|^2 + min of the other factor * (least distance to any clip)^2 - max shift

and where that is more than what was found elsewhere, the row is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from asdflow.mixing import Block
from asdflow.mixture_values import Run
from asdflow.neighbours import as_slice, places_of_smallest, smallest

#: Distances of one block and batch of points.
BATCH = 2**18
#: Points of a batch at least.
ROWS = 16

#: Rows and columns, rows ascending.
Entries = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Found:
    """The nearest references of a group.

    Attributes
    ----------
    value : (M, k) float64
        Ascending; infinite where there are fewer.
    number : (M, k) int, or None
        Of the references, where asked for.
    """

    value: np.ndarray
    number: np.ndarray | None

    @classmethod
    def nothing(cls, points: int, k: int, numbered: bool) -> Found:
        """Before any reference was seen."""
        return cls(np.full((points, k), np.inf), np.zeros((points, k), dtype=np.int64) if numbered else None)

    def add(self, rows: np.ndarray | slice, values: np.ndarray, numbers: np.ndarray) -> None:
        """Take the smallest of (rows, C) values into account, of references of these numbers."""
        k = self.value.shape[1]
        if self.number is None:
            best = smallest(values, k)
            if k > 1:
                best = np.sort(np.concatenate([self.value[rows], best], axis=1), axis=1)[:, :k]
                self.value[rows] = best
            else:
                self.value[rows] = np.minimum(self.value[rows], best)
            return
        place = places_of_smallest(values, k)
        best = np.concatenate([self.value[rows], np.take_along_axis(values, place, axis=1)], axis=1)
        of_best = np.concatenate([self.number[rows], numbers[place]], axis=1)
        order = np.argsort(best, axis=1, kind="stable")[:, :k]
        self.value[rows] = np.take_along_axis(best, order, axis=1)
        self.number[rows] = np.take_along_axis(of_best, order, axis=1)


@dataclass(frozen=True)
class Blocks:
    """Blocks of references, and where each reference and each group lies in them.

    Attributes
    ----------
    blocks : sequence of blocks
    number, place : (R,) int
        Block of each reference, and its column there.
    groups : sequence of mappings
        Columns of each group in each block.
    """

    blocks: Sequence[Block]
    number: np.ndarray
    place: np.ndarray
    groups: Sequence[Mapping[int, slice | np.ndarray]]

    @classmethod
    def of(cls, blocks: Sequence[Block], group: np.ndarray) -> Blocks:
        """`group`: (R,) int, of each reference."""
        number, place = np.empty(len(group), dtype=np.int64), np.empty(len(group), dtype=np.int64)
        groups = []
        for count, block in enumerate(blocks):
            columns = np.arange(len(group))[block.columns]
            number[columns], place[columns] = count, np.arange(len(columns))
            of_block = group[columns]
            groups.append(
                {int(one): as_slice(np.flatnonzero(of_block == one)) for one in np.unique(of_block)}
            )
        return cls(blocks, number, place, groups)

    def nearest(
        self,
        square: Callable[[slice, np.ndarray], np.ndarray],
        shape: tuple[int, int],
        affine: tuple[np.ndarray, np.ndarray],
        k: int,
        *,
        gone: Entries | None = None,
        least: np.ndarray | None = None,
        seen: tuple[int, Mapping[int, np.ndarray]] | None = None,
        numbered: bool = False,
    ) -> dict[int, Found]:
        """The k smallest values of each group, in each row.

        Parameters
        ----------
        square : callable
            Gives squared distances (rows, N) of points to the clips; may write them to memory it is given.
        shape : (M, N)
        affine : (R,) and (R,) float64
            What the mean squared distance to the parents of a reference is multiplied by, and what is then
            taken off, for its value.
        gone : optional
            Points, ascending, and references whose value is infinite.
        least : (M,) float64, optional
            At most the squared distance of each point to any parent of any reference that is not gone;
            default: the smallest of its row.
        seen : optional
            Number of a block, and the (M, k) smallest values in it of each group, which are known; ascending.
        numbered : bool
            Whether to find the numbers of the references as well.
        """
        count, clips = shape
        scale, shift = affine
        runs = [Run.of(block, scale[block.columns], shift[block.columns]) for block in self.blocks]
        names = [np.arange(len(self.number))[block.columns] for block in self.blocks]
        groups = sorted({group for of_block in self.groups for group in of_block})
        result = {group: Found.nothing(count, k, numbered) for group in groups}
        for group, values in ({} if seen is None else seen[1]).items():
            result[group].value[...] = values
        skipped = None if seen is None else seen[0]
        widest = max(clips, *(run.size for run in runs))
        step = max(ROWS, BATCH // widest)
        memory, scratch = np.empty((step, clips)), np.empty((2, step * widest))
        for start in range(0, count, step):
            rows = slice(start, min(start + step, count))
            known = square(rows, memory[: rows.stop - start])
            taken = None if gone is None else self._by_block(gone, rows)
            best = {
                group: Found(found.value[rows], None if found.number is None else found.number[rows])
                for group, found in result.items()
            }

            def visit(number: int, some: slice | np.ndarray, known=known, taken=taken, best=best) -> None:
                out = runs[number].values(known, some, scratch)
                if taken is not None:
                    out[_of_rows(taken[number], some, len(known))] = np.inf
                for group, columns in self.groups[number].items():
                    best[group].add(some, out[:, columns], names[number][columns])

            self._visit_needed(
                runs, known, known.min(axis=1) if least is None else least[rows], best, visit, skipped
            )
        return result

    def _visit_needed(
        self,
        runs: Sequence[Run],
        known: np.ndarray,
        least: np.ndarray,
        best: Mapping[int, Found],
        visit: Callable[[int, slice | np.ndarray], None],
        skipped: int | None,
    ) -> None:
        """Visit every block where it may hold one of the smallest: first those of the least bound."""
        bounded: dict[int, list[int]] = {}
        for number, (run, groups) in enumerate(zip(runs, self.groups, strict=True)):
            if number == skipped:
                continue
            if run.bounded and len(groups) == 1:
                bounded.setdefault(next(iter(groups)), []).append(number)
            else:
                visit(number, slice(0, len(known)))
        for group, numbers in bounded.items():
            if len(numbers) == 1:
                visit(numbers[0], slice(0, len(known)))
                continue
            bounds = np.stack([runs[number].bound(known, least) for number in numbers], axis=1)
            first = bounds.argmin(axis=1)
            for place, number in enumerate(numbers):
                rows = np.flatnonzero(first == place)
                if len(rows):
                    visit(number, rows)
            for place, number in enumerate(numbers):
                rows = np.flatnonzero((bounds[:, place] <= best[group].value[:, -1]) & (first != place))
                if len(rows):
                    visit(number, rows)

    def _by_block(self, gone: Entries, rows: slice) -> list[Entries]:
        """Rows from the first of `rows` and columns of each block."""
        low, high = np.searchsorted(gone[0], (rows.start, rows.stop))
        row, references = gone[0][low:high] - rows.start, gone[1][low:high]
        number = self.number[references]
        order = np.argsort(number, kind="stable")
        ends = np.searchsorted(number[order], np.arange(len(self.blocks) + 1))
        row, columns = row[order], self.place[references][order]
        return [(row[a:b], columns[a:b]) for a, b in pairwise(ends)]


def _of_rows(entries: Entries, rows: slice | np.ndarray, count: int) -> Entries:
    """Entries of chosen rows, by their places among the chosen."""
    if isinstance(rows, slice):
        return entries
    place = np.full(count, -1)
    place[rows] = np.arange(len(rows))
    row = place[entries[0]]
    return row[row >= 0], entries[1][row >= 0]
