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
        if isinstance(block, Pair) and isinstance(block.other, np.ndarray) and not isinstance(rows, slice):
            return self._few(square, rows, scratch)
        square = square[rows] if isinstance(rows, slice) else square.take(rows, axis=0)
        out, more = (part[: len(square) * self.size].reshape(len(square), -1) for part in scratch)
        if isinstance(block, Many):
            np.multiply(product(square, block.weights), self.factor, out=out)
        elif isinstance(block, Single):
            np.multiply(square[:, block.parents], self.factor, out=out)
        elif self.ratio is not None:
            np.add(square[:, block.other], self.ratio * square[:, block.common, None], out=out)
            out *= self.factor
        else:
            np.multiply(square[:, block.other], self.factor, out=out)
            if isinstance(block.common, np.ndarray):
                np.take(square, block.common, axis=1, out=more, mode="clip")
                more *= self.of_common
            else:
                np.multiply(square[:, block.common, None], self.of_common, out=more)
            out += more
        if self.shift is not None:
            out -= self.shift
        return out

    def _few(self, square: np.ndarray, rows: np.ndarray, scratch: np.ndarray) -> np.ndarray:
        """`values` of scattered columns: only these are taken out of the rows."""
        block, first = self.block, rows * square.shape[1]
        out, more = (part[: len(rows) * self.size].reshape(len(rows), -1) for part in scratch)
        flat = square.reshape(-1)
        np.take(flat, first[:, None] + block.other, out=out, mode="clip")
        common = first[:, None] + block.common
        if self.ratio is not None:
            out += self.ratio * flat[common]
            out *= self.factor
        else:
            out *= self.factor
            np.multiply(flat[common], self.of_common, out=more)
            out += more
        if self.shift is not None:
            out -= self.shift
        return out
