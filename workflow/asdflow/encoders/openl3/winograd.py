"""Convolution 3 x 3 with a quarter of the products: F(4 x 4, 3 x 3) of Lavin and Gray 2016, arXiv 1509.09308.

A tile d of 6 x 6 inputs gives 4 x 4 outputs: A^T [(G g G^T) * (B^T d B)] A. The product in the middle is a
matrix product over channels for each of the 36 places. The transforms around it are matrix products too, with
the Kronecker squares of B^T and A^T. All of it is done in pieces that stay in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

TILE, STEP = 6, 4  # inputs and outputs of a tile, along each axis
# Where the polynomials behind the algorithm are evaluated, besides infinity. The usual 0, 1, -1, 2, -2 have
# matrices of small integers but four times the rounding error; with these it is that of the plain sum.
POINTS = (0.0, 0.5**0.5, -(0.5**0.5), 2.0**0.5, -(2.0**0.5))
CACHED = 4_000_000  # transformed weights that stay in the cache while pieces pass by


@dataclass
class Maps:
    """Activations (batch, height, width, channels) inside a buffer that is zero around them.

    The buffer has a row and a column of zeros in front, and enough behind for the last tile.
    """

    buffer: torch.Tensor
    height: int
    width: int

    @classmethod
    def uninitialised(
        cls, scratch: Scratch, name: str, batch: int, height: int, width: int, channels: int, room: int = 0
    ) -> Maps:
        """In scratch memory of that name; `room`: rows and columns behind that may be written, too."""
        tall, wide = (max(_tiles(size) * STEP, size + room) + 2 for size in (height, width))
        return cls(scratch(name, batch, tall, wide, channels), height, width)

    @property
    def inside(self) -> torch.Tensor:
        """(batch, height, width, channels) view."""
        return self.buffer[:, 1 : 1 + self.height, 1 : 1 + self.width]

    def clear_around(self) -> None:
        """Set all that is not `inside` to zero."""
        self.buffer[:, 0] = 0
        self.buffer[:, 1 + self.height :] = 0
        self.buffer[:, :, 0] = 0
        self.buffer[:, :, 1 + self.width :] = 0


class Scratch:
    """Flat memory by name, kept from use to use and grown when one needs more."""

    def __init__(self, like: torch.Tensor) -> None:
        self.like, self.memory = like, {}

    def __call__(self, name: str, *shape: int) -> torch.Tensor:
        """Uninitialised tensor of that shape."""
        count = torch.Size(shape).numel()
        if name not in self.memory or self.memory[name].numel() < count:
            self.memory[name] = self.like.new_empty(count)
        return self.memory[name][:count].view(shape)


class Winograd:
    """y = conv(x, weight) + bias with zero padding 1, then ReLU, then maximum pooling 2 x 2, both optional.

    Parameters
    ----------
    weight : (outputs, inputs, 3, 3) float64 tensor
    bias : (outputs,) float64 tensor
    dtype : torch.dtype
        Of the computation.
    """

    def __init__(
        self, weight: torch.Tensor, bias: torch.Tensor, relu: bool, pool: bool, dtype: torch.dtype
    ) -> None:
        self.relu, self.pool = relu, pool
        self.outputs, self.inputs = weight.shape[:2]
        kernel, ahead, back = matrices()
        self.kernel = torch.einsum("ai,bj,kcij->abck", kernel, kernel, weight).flatten(0, 1).to(dtype)
        self.kernel = self.kernel.contiguous()  # (36, inputs, outputs)
        self.ahead, self.back = torch.kron(ahead, ahead).to(dtype), torch.kron(back, back).to(dtype)
        self.bias = bias.to(dtype)

    def __call__(self, x: Maps, scratch: Scratch, name: str) -> Maps:
        """Maps of `outputs` channels, of half the height and width (rounded down) after pooling.

        They lie in the scratch memory of that name, which must not be that of `x`.
        """
        batch, scale = len(x.buffer), 2 if self.pool else 1
        rows, columns = _tiles(x.height), _tiles(x.width)
        result = Maps.uninitialised(
            scratch, name, batch, x.height // scale, x.width // scale, self.outputs, room=STEP // scale
        )
        for clips, places in pieces(batch, rows, columns, self._tiles_at_once()):
            tiles = x.buffer[clips, STEP * places.start : STEP * places.stop + 2, : STEP * columns + 2]
            tiles = tiles.unfold(1, TILE, STEP).unfold(2, TILE, STEP).permute(4, 5, 0, 1, 2, 3)
            y = self._piece(tiles, scratch)  # (4, 4, clips, rows, columns, outputs), or 2, 2 when pooled
            side = y.shape[0]
            target = result.buffer[clips, 1 + side * places.start : 1 + side * places.stop]
            target = target[:, :, 1 : 1 + side * columns].unflatten(2, (-1, side)).unflatten(1, (-1, side))
            y = y.permute(2, 3, 0, 4, 1, 5)
            if self.relu:
                torch.clamp(y, min=0, out=target)
            else:
                target.copy_(y)
        result.clear_around()
        return result

    def _tiles_at_once(self) -> int:
        """Few where their transforms then stay in the cache, many where the weights do not."""
        if self.kernel.numel() > CACHED:
            return 400
        return max(100, 12800 // self.inputs)

    def _piece(self, tiles: torch.Tensor, scratch: Scratch) -> torch.Tensor:
        """(6, 6, ..., inputs) tiles to (4, 4, ..., outputs), or the maxima of their cells (2, 2, ...)."""
        shape = tiles.shape[2:-1]
        count, square = shape.numel(), TILE * TILE
        gathered = scratch("gathered", *tiles.shape)
        gathered.copy_(tiles)
        ahead = torch.mm(
            self.ahead, gathered.view(square, -1), out=scratch("ahead", square, count * self.inputs)
        )
        mixed = scratch("mixed", square, count, self.outputs)
        torch.bmm(ahead.view(square, count, self.inputs), self.kernel, out=mixed)
        back = torch.mm(
            self.back, mixed.view(square, -1), out=scratch("back", STEP * STEP, count * self.outputs)
        )
        y = back.view(STEP, STEP, *shape, self.outputs)
        if self.pool:
            y = torch.maximum(y[0::2], y[1::2])
            y = torch.maximum(y[:, 0::2], y[:, 1::2])
        return y.add_(self.bias)


def matrices() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """G (6 x 3), B^T (6 x 6) and A^T (4 x 6), float64, by Cook and Toom.

    With x a point, a row of G is 1, x, x^2, a column of A^T 1, x, x^2, x^3, and B^T the transposed inverse of
    the powers up to x^5. Infinity has the highest power only.
    """

    def powers(count: int) -> torch.Tensor:
        last = [0.0] * (count - 1) + [1.0]
        rows = [[point**power for power in range(count)] for point in POINTS]
        return torch.tensor([*rows, last], dtype=torch.float64)

    return powers(TILE - STEP + 1), torch.linalg.inv(powers(TILE)).T.contiguous(), powers(STEP).T.contiguous()


def pieces(batch: int, rows: int, columns: int, tiles: int) -> list[tuple[slice, slice]]:
    """Clips and rows of tiles that are computed together, about that many tiles each."""
    if rows * columns >= tiles:
        step = max(1, round(tiles / columns))
        return [
            (slice(clip, clip + 1), slice(row, min(rows, row + step)))
            for clip in range(batch)
            for row in range(0, rows, step)
        ]
    step = max(1, round(tiles / (rows * columns)))
    return [(slice(clip, min(batch, clip + step)), slice(0, rows)) for clip in range(0, batch, step)]


def _tiles(size: int) -> int:
    return -(-size // STEP)
