"""The nearest mixtures of each clip, a few clips and one block of mixtures at a time.

Ten target clips mixed with a thousand source clips make ten thousand references, in each of eight bands:
their distances to a bank are a hundred million numbers of which only the smallest of each row are looked at.
They are made and reduced while they are in the cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from asdflow.mixing import Many, Pair, Single
from asdflow.neighbours import as_slice, smallest

#: Distances of one block and batch of clips.
BATCH = 2**17


@dataclass(frozen=True)
class Blocks:
    """Blocks of references, and where each reference and each domain lies in them.

    Attributes
    ----------
    blocks : sequence of Single or Pair
    number, place : (R,) int
        Block of each reference, and its column there.
    groups : sequence of mappings
        Columns of each domain in each block.
    """

    blocks: Sequence[Single | Pair]
    number: np.ndarray
    place: np.ndarray
    groups: Sequence[Mapping[int, slice | np.ndarray]]

    @classmethod
    def of(cls, blocks: Sequence[Single | Pair | Many], domain: np.ndarray) -> Blocks | None:
        """None where a block has mixtures of more than two clips. `domain`: (R,) int."""
        if any(isinstance(block, Many) for block in blocks):
            return None
        number, place = np.empty(len(domain), dtype=np.int64), np.empty(len(domain), dtype=np.int64)
        groups = []
        for count, block in enumerate(blocks):
            columns = np.arange(len(domain))[block.columns]
            number[columns], place[columns] = count, np.arange(len(columns))
            of_block = domain[columns]
            groups.append(
                {int(one): as_slice(np.flatnonzero(of_block == one)) for one in np.unique(of_block)}
            )
        return cls(blocks, number, place, groups)

    def nearest(
        self,
        distances: np.ndarray,
        metric: str,
        scale: np.ndarray,
        shift: np.ndarray,
        k: int,
        owned: tuple[np.ndarray, np.ndarray] | None,
    ) -> dict[int, np.ndarray]:
        """(M, k) smallest distances to the references of each domain, ascending; infinite if there are fewer.

        Parameters
        ----------
        distances : (M, N) float64
            To the clips, in one band.
        scale, shift : (R,) float64
            What the mean squared distance of a mixture to its parents is multiplied by, and what is then
            taken off, for its squared Euclidean or its cosine distance.
        owned : (n,) and (n,) int, optional
            Row, ascending, and reference that is infinitely far from it.
        """
        domains = {domain for group in self.groups for domain in group}
        result = {domain: np.full((len(distances), k), np.inf) for domain in domains}
        widest = max(len(np.arange(len(self.number))[block.columns]) for block in self.blocks)
        step = max(1, BATCH // max(widest, distances.shape[1]))
        scratch = np.empty((2, step * widest))
        squares = np.empty((step, distances.shape[1]))
        factors = [
            _factors(block, scale[block.columns], shift[block.columns], metric) for block in self.blocks
        ]
        for start in range(0, len(distances), step):
            known = distances[start : start + step]
            square = known if metric == "cosine" else np.square(known, out=squares[: len(known)])
            taken = None if owned is None else self._by_block(owned, start, start + len(known))
            for number, (block, group) in enumerate(zip(self.blocks, self.groups, strict=True)):
                out, more = (part[: len(known) * _size(block)].reshape(len(known), -1) for part in scratch)
                if isinstance(block, Single):
                    out[...] = known[:, block.parents]
                else:
                    _mix(block, square, factors[number], out, more)
                if taken is not None:
                    out[taken[number]] = np.inf
                for domain, columns in group.items():
                    found = smallest(out[:, columns], k)
                    if isinstance(block, Pair):
                        np.maximum(found, 0.0, out=found)
                        found = np.sqrt(found) if metric == "euclidean" else found
                    best = result[domain][start : start + len(known)]
                    if k == 1:
                        np.minimum(best, found, out=best)
                    else:
                        best[...] = np.sort(np.concatenate([best, found], axis=1), axis=1)[:, :k]
        return result

    def _by_block(
        self, owned: tuple[np.ndarray, np.ndarray], start: int, stop: int
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows from `start` and columns of each block that are owned."""
        low, high = np.searchsorted(owned[0], (start, stop))
        rows, references = owned[0][low:high] - start, owned[1][low:high]
        number = self.number[references]
        order = np.argsort(number, kind="stable")
        ends = np.searchsorted(number[order], np.arange(len(self.blocks) + 1))
        rows, columns = rows[order], self.place[references][order]
        return [(rows[a:b], columns[a:b]) for a, b in pairwise(ends)]


def _factors(
    block: Single | Pair, scale: np.ndarray, shift: np.ndarray, metric: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Factors of the distances to both parents, and what is taken off.

    For the cosine they include that a squared distance of unit vectors is four cosine distances.
    """
    if isinstance(block, Single):
        return None
    unit = 4.0 if metric == "cosine" else 1.0
    return unit * (block.share * scale), unit * ((1 - block.share) * scale), shift


def _mix(
    block: Pair,
    square: np.ndarray,
    factors: tuple[np.ndarray, np.ndarray, np.ndarray],
    out: np.ndarray,
    more: np.ndarray,
) -> None:
    """Write affine means of both parents' columns into `out`; `more` is memory of its size."""
    of_common, of_other, shift = factors
    if isinstance(block.common, np.ndarray):
        np.take(square, block.common, axis=1, out=out, mode="clip")
        out *= of_common
    else:
        np.multiply(square[:, block.common, None], of_common, out=out)
    out -= shift
    np.multiply(square[:, block.other], of_other, out=more)
    out += more


def _size(block: Single | Pair) -> int:
    """References of a block."""
    if isinstance(block, Pair):
        return len(block.share)
    columns = block.columns
    return columns.stop - columns.start if isinstance(columns, slice) else len(columns)
