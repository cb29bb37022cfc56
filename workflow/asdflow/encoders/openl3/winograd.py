"""Convolution 3 x 3 with a quarter of the products: F(4 x 4, 3 x 3) of Lavin and Gray 2016, arXiv 1509.09308.

A tile d of 6 x 6 inputs gives 4 x 4 outputs: A^T [(G g G^T) * (B^T d B)] A. The product in the middle is a
matrix product over channels for each of the 36 places. All of it is done in pieces that stay in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from asdflow.encoders.openl3 import transforms
from asdflow.encoders.openl3.transforms import STEP, TILE

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
        self.kernel = transforms.kernels(weight).to(dtype)
        self.ahead, self.back = transforms.halves_ahead().to(dtype), transforms.halves_back().to(dtype)
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
            y = self._piece(tiles, scratch)
            side = STEP // scale
            target = result.buffer[clips, 1 + side * places.start : 1 + side * places.stop]
            target = target[:, :, 1 : 1 + side * columns]
            target = target.unflatten(2, (-1, 2, 2 // scale)).unflatten(1, (-1, 2, 2 // scale))
            y = y.permute(4, 5, 2, 0, 6, 3, 1, 7)
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
        """(6, 6, ..., inputs) tiles to (2, 2, 2, 2, ..., outputs): parities of row and column, then halves.

        The maxima of their cells are (1, 1, 2, 2, ..., outputs).
        """
        shape = tiles.shape[2:-1]
        count, half = shape.numel(), TILE // 2
        gathered = scratch("gathered", 2, 2, half, half, *shape, self.inputs)
        gathered.copy_(tiles.unflatten(1, (half, 2)).unflatten(0, (half, 2)).movedim((1, 3), (0, 1)))
        ahead = scratch("ahead", 2, 2, half * half, count * self.inputs)
        transforms.ahead(self.ahead, gathered.view(ahead.shape), ahead)
        mixed = scratch("mixed", TILE * TILE, count, self.outputs)
        torch.bmm(ahead.view(TILE * TILE, count, self.inputs), self.kernel, out=mixed)
        back = scratch("back", 2, 2, STEP, count * self.outputs)
        transforms.back(self.back, mixed.view(2, 2, half * half, count * self.outputs), back)
        y = back.view(2, 2, 2, 2, *shape, self.outputs)
        if self.pool:
            y = torch.maximum(y[:1], y[1:])
            y = torch.maximum(y[:, :1], y[:, 1:])
        return y.add_(self.bias)


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
