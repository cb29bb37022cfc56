"""Inner products of clips about a common centre: what distances and principal axes are made of.

Centring changes no difference, but an offset common to all clips would swallow the digits of a product.
A product of long vectors is the sum of those of equal parts, so that frequency bands and whole vectors share
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asdflow.geometry.linear import BLOCK, blocks, one_blas_thread, padded, row_dots, shared_out

#: Values that hold centred rows of x at most; beyond, they are centred again for every block of y.
KEEP = 2**26
#: Bits of a centre. Few, so that the order of the rows, which decides the last bits of a mean, is not seen.
BITS = 12
#: Dimensions of a part at least; there is a power of two of them.
PART = 768


@dataclass(frozen=True)
class Rows:
    """Vectors (n, D) as they are, and what is known of their places about a centre c, each (n,) float64.

    Attributes
    ----------
    vectors : (n, D) float
    square : |x - c|^2
    excess : |x|^2 - |c|^2
    norm : |x|^2
    """

    vectors: np.ndarray
    square: np.ndarray
    excess: np.ndarray
    norm: np.ndarray

    @property
    def length(self) -> np.ndarray:
        """(n,) float64: |x|."""
        return np.sqrt(self.norm)

    @classmethod
    def joined(cls, vectors: np.ndarray, parts: Mapping[int, Rows]) -> Rows:
        """Of all vectors, from parts by their first row."""
        ordered = [parts[first] for first in sorted(parts)]
        of_all = {name: np.concatenate([getattr(part, name) for part in ordered]) for name in _DESCRIBED}
        return cls(vectors, **of_all)

    def part(self, some: slice | np.ndarray) -> Rows:
        """Some of the rows."""
        return Rows(self.vectors[some], *(getattr(self, name)[some] for name in _DESCRIBED))


_DESCRIBED = ("square", "excess", "norm")


@dataclass(frozen=True)
class Products:
    """(x - c) (y - c)^T of every row x of one set and every row y of another, in float64.

    Attributes
    ----------
    inner : (M, N) float64
        Entry (i, j) depends on its two rows and the centre alone, bit for bit.
    left, right : Rows
    """

    inner: np.ndarray
    left: Rows
    right: Rows


#: What becomes of a block of products: rows of x, rows of y, the block (which may be changed), and which row
#: of y is the first one of x, the next one its next; None where they are different sets.
Finish = Callable[[Rows, Rows, np.ndarray, int | None], np.ndarray]


def products(x: np.ndarray, y: np.ndarray) -> Products:
    """All products of two sets about the centre of y; each pair once where x is y."""
    return Products(*in_blocks(x, y, lambda left, right, block, diagonal: block))


def total(parts: Sequence[Products], x: np.ndarray, y: np.ndarray) -> Products:
    """Products of two sets from those of consecutive equal parts of their vectors, bit for bit."""
    if len(parts) == 1:
        return parts[0]
    left, right = (
        Rows(of, *(_sum([getattr(rows, name) for rows in side]) for name in _DESCRIBED))
        for of, side in ((x, [part.left for part in parts]), (y, [part.right for part in parts]))
    )
    return Products(_sum([part.inner for part in parts]), left, left if x is y else right)


def part_count(dimensions: int) -> int:
    """Equal parts whose products are summed: one below 1,536 dimensions."""
    count = 1
    while dimensions % (2 * count) == 0 and dimensions // (2 * count) >= PART:
        count *= 2
    return count


def _sum(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Sum, one after the other; a single array is handed back as it is."""
    if len(arrays) == 1:
        return arrays[0]
    result = arrays[0] + arrays[1]
    for array in arrays[2:]:
        result += array
    return result


def in_blocks(
    x: np.ndarray,
    y: np.ndarray,
    finish: Finish,
    *,
    lengths: bool = True,
    threads: int | None = None,
    keep: int = KEEP,
) -> tuple[np.ndarray, Rows, Rows]:
    """What `finish` makes of the blocks of products about the centre of y, (M, N) float64, and the rows.

    Parameters
    ----------
    x, y : (M, D) and (N, D) float
        If x is y, each pair is computed once and mirrored: `finish` must be symmetric.
    lengths : bool
        Whether excess and length of the rows are wanted.
    threads : int, optional
        Default: `asdflow.geometry.linear.workers()`. Changes no bit of the result, nor does `keep`.
    keep : int
        Values of x held centred at a time: the memory beside the result, but for a block of y a thread.
    """
    result = np.empty((len(x), len(y)))
    centre = centre_of(y)
    known: tuple[dict[int, Rows], dict[int, Rows]] = {}, {}
    share = max(BLOCK, keep // max(1, x.shape[1]) // BLOCK * BLOCK)

    def block(of: np.ndarray, rows: slice, side: int) -> Block:
        made = Block.of(of[rows], centre, lengths)
        known[side][rows.start] = made.rows
        return made

    with one_blas_thread():
        for start in range(0, len(x), share):
            some = [rows for rows in blocks(len(x)) if start <= rows.start < start + share]
            lefts = {rows.start: block(x, rows, 0) for rows in some}

            def column(columns: slice, lefts: dict[int, Block] = lefts) -> None:
                same = x is y and columns.start in lefts
                of_y = lefts[columns.start] if same else block(y, columns, 1)
                for first, left in lefts.items():
                    if x is y and first > columns.start:
                        continue
                    size = left.size, of_y.size
                    inner = np.ascontiguousarray(left.times(of_y)[: size[0], : size[1]])
                    diagonal = 0 if x is y and first == columns.start else None
                    result[first : first + size[0], columns] = finish(left.rows, of_y.rows, inner, diagonal)

            shared_out(column, blocks(len(y)), threads)
    if x is y:
        lower = np.tril_indices(-(-len(x) // BLOCK), -1)
        for i, j in zip(*(index * BLOCK for index in lower), strict=True):
            result[i : i + BLOCK, j : j + BLOCK] = result[j : j + BLOCK, i : i + BLOCK].T
    left = Rows.joined(x, known[0])
    return result, left, left if x is y else Rows.joined(y, known[1])


@dataclass(frozen=True)
class Block:
    """At most BLOCK rows: centred and filled up with zeros, and described."""

    centred: np.ndarray
    rows: Rows

    @classmethod
    def of(cls, vectors: np.ndarray, centre: np.ndarray, lengths: bool) -> Block:
        """Centre and describe (n, D) vectors."""
        exact = vectors.astype(np.float64)
        centred = exact - centre
        squares = _dots(centred, centred)
        excess = norm = np.zeros(0)
        if lengths:
            to_centre = _dots(centred, np.broadcast_to(2 * centre, centred.shape))
            excess = _sum([a + b for a, b in zip(to_centre, squares, strict=True)])
            norm = _sum(_dots(exact, exact))
        return cls(padded(centred), Rows(vectors, _sum(squares), excess, norm))

    def times(self, other: Block) -> np.ndarray:
        """(BLOCK, BLOCK) products: a sum of those of the parts."""
        return _sum([a @ b.T for a, b in zip(_parts(self.centred), _parts(other.centred), strict=True)])

    @property
    def size(self) -> int:
        """Rows that are not filling."""
        return len(self.rows.vectors)


def centre_of(y: np.ndarray) -> np.ndarray:
    """(D,) mean of the rows, of few bits."""
    total = np.zeros(y.shape[1])
    for rows in blocks(len(y)):
        total += y[rows].sum(axis=0, dtype=np.float64)
    mantissa, exponent = np.frexp(total / len(y))
    return np.ldexp(np.round(mantissa * 2**BITS) / 2**BITS, exponent)


def _dots(a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    """(n,) sums of a row of a times the same row of b, for each part."""
    return [row_dots(*pair) for pair in zip(_parts(a), _parts(b), strict=True)]


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return np.split(rows, part_count(rows.shape[1]), axis=1)
