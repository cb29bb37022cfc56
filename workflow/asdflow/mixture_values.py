"""Values of mixtures that grow with their distance from a point: affine in the distances to their parents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asdflow.linear import product
from asdflow.mixing import Block, Many, Pair, Single


@dataclass(frozen=True)
class Run:
    """A block, and the factors of its values.

    Attributes
    ----------
    ratio : float, or None
        Factor of the common parent relative to that of the other where it is the same for all references.
    of_common : (C,) float64
        Factor of the distances to the common parent where there is no ratio.
    factor : (C,) float64
        Factor of the distances to the other parent, or to all.
    shift : (C,) float64, or None
        What is taken off, where it is not 0.
    least : floats
        Least factors of both parents, and the largest shift.
    """

    block: Block
    ratio: float | None
    of_common: np.ndarray
    factor: np.ndarray
    shift: np.ndarray | None
    least: tuple[float, float, float]

    @classmethod
    def of(cls, block: Block, scale: np.ndarray, shift: np.ndarray) -> Run:
        """`scale` and `shift` of the references of the block."""
        if not isinstance(block, Pair):
            return cls(
                block,
                None,
                np.zeros(0),
                scale,
                shift if shift.any() else None,
                (0.0, scale.min(), shift.max()),
            )
        common, other = block.share * scale, (1 - block.share) * scale
        same = (block.share == block.share[0]).all() and not isinstance(block.common, np.ndarray)
        ratio = float(block.share[0] / (1 - block.share[0])) if same else None
        return cls(
            block,
            ratio,
            common,
            other,
            shift if shift.any() else None,
            (common.min(), other.min(), shift.max()),
        )

    @property
    def size(self) -> int:
        """References of the block."""
        return len(self.factor)

    @property
    def bounded(self) -> bool:
        """Whether a bound can be told before the values are made."""
        return isinstance(self.block, Single) or (
            isinstance(self.block, Pair) and not isinstance(self.block.common, np.ndarray)
        )

    def bound(self, square: np.ndarray, least: np.ndarray) -> np.ndarray:
        """(M,) below all values of a row; `least` is its smallest squared distance to any clip."""
        of_common, of_other, shift = self.least
        bound = of_other * least - shift
        return bound if isinstance(self.block, Single) else bound + of_common * square[:, self.block.common]

    def values(self, square: np.ndarray, rows: slice | np.ndarray, scratch: np.ndarray) -> np.ndarray:
        """(rows, C) values, in the first half of `scratch`; the second is memory of that size."""
        block = self.block
        count = len(square[rows]) if isinstance(rows, slice) else len(rows)
        out, more = (part[: count * self.size].reshape(count, -1) for part in scratch)
        if isinstance(block, Pair):
            common, other = self._parents(square, rows, out)
            if self.ratio is not None:
                np.add(other, self.ratio * common, out=out)
                out *= self.factor
            else:
                np.multiply(other, self.factor, out=out)
                np.multiply(common, self.of_common, out=more)
                out += more
        else:
            square = square[rows]
            parts = product(square, block.weights) if isinstance(block, Many) else square[:, block.parents]
            np.multiply(parts, self.factor, out=out)
        if self.shift is not None:
            out -= self.shift
        return out

    def _parents(
        self, square: np.ndarray, rows: slice | np.ndarray, out: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(rows, 1 or C) and (rows, C) squared distances to the common and to the other parents.

        Of scattered rows and columns only these are taken, into `out`.
        """
        block = self.block
        common = block.common if isinstance(block.common, np.ndarray) else [block.common]
        if isinstance(rows, slice) or isinstance(block.other, slice):
            square = square[rows] if isinstance(rows, slice) else square.take(rows, axis=0)
            return square[:, common], square[:, block.other]
        flat, first = square.reshape(-1), (rows * square.shape[1])[:, None]
        return flat[first + common], np.take(flat, first + block.other, out=out, mode="clip")
