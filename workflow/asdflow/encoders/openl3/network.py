"""The OpenL3 network for inference: seven convolutions and a last one, batch norms folded into them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from asdflow.encoders.openl3.winograd import Maps, Scratch, Winograd

EPS = 1e-3
POOLED = (1, 3, 5)  # convolutions followed by pooling, counted from 0
TOGETHER = 1, 16  # pictures that go through the first six convolutions at a time, and through the last two
ROWS = 16  # of the first convolution's output, computed at a time: they stay in the cache
CELLS = 4, 3  # of the larger embedding, along frequency and time


@dataclass(frozen=True)
class Norm:
    """Batch norm with stored statistics: y = scale x + shift."""

    scale: torch.Tensor
    shift: torch.Tensor


@dataclass(frozen=True)
class Parameters:
    """Tensors of a checkpoint, float32.

    norms : 8 tuples gamma, beta, mean, variance, each (channels,); the first is that of the picture
    convolutions : 8 tuples weight (outputs, inputs, 3, 3) with frequency first, bias (outputs,)
    """

    norms: tuple[tuple[torch.Tensor, ...], ...]
    convolutions: tuple[tuple[torch.Tensor, torch.Tensor], ...]


class Network:
    """From decibel pictures to the last map of activations and the two embeddings.

    On the CPU the 3 x 3 convolutions are Winograd's, with a quarter of the products; on CUDA the library's.

    Parameters
    ----------
    parameters : Parameters
    device : torch.device
    dtype : torch.dtype
        float32, or float64 to check the rounding.
    winograd : bool, optional
        Default: on the CPU.
    """

    def __init__(
        self,
        parameters: Parameters,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        winograd: bool | None = None,
    ) -> None:
        self.device, self.dtype = device, dtype
        self.winograd = device.type == "cpu" if winograd is None else winograd
        self.input_norm = _norm(*parameters.norms[0])
        self._memory = threading.local()
        self.channels = len(parameters.convolutions[-1][1])
        layers = folded(parameters)
        if self.winograd:
            weight, bias = layers[0]
            self.first = weight.flatten(1).T.to(dtype), bias.to(dtype)
            last = len(layers) - 1
            self.fast = [
                Winograd(*layers[number], relu=number < last, pool=number in POOLED, dtype=dtype)
                for number in range(1, len(layers))
            ]
        else:
            self.plain = [
                (weight.to(device, dtype, memory_format=torch.channels_last), bias.to(device, dtype))
                for weight, bias in layers
            ]

    @torch.inference_mode()
    def maps(self, pictures: torch.Tensor) -> torch.Tensor:
        """(pictures, bands, frames) decibels to the last map, (pictures, frequency, time, channels)."""
        return torch.cat([part.clone() for part in self._parts(pictures)])

    @torch.inference_mode()
    def embeddings(self, pictures: torch.Tensor) -> torch.Tensor:
        """(pictures, 4, 3, channels): maxima of the cells. Flattened, the larger embedding (6144 numbers)."""
        return torch.cat([_cells(part) for part in self._parts(pictures)])

    def _parts(self, pictures: torch.Tensor) -> Iterator[torch.Tensor]:
        """Last maps of some pictures at a time; each is overwritten by the next."""
        compute = self._fast if self.winograd else self._plain
        for part in pictures.split(TOGETHER[1]):
            yield compute(part.to(self.dtype) * self.input_norm.scale.item() + self.input_norm.shift.item())

    def _fast(self, x: torch.Tensor) -> torch.Tensor:
        scratch = self._scratch(x)
        parts = []
        for part in x.split(TOGETHER[0]):
            maps = self._first(part, scratch)
            for number, convolution in enumerate(self.fast[:5]):
                maps = convolution(maps, scratch, f"maps {number}")
            parts.append(maps.buffer.clone())
        maps = Maps(torch.cat(parts), maps.height, maps.width)
        for number, convolution in enumerate(self.fast[5:], 5):
            maps = convolution(maps, scratch, f"maps {number}")
        return maps.inside

    def _scratch(self, x: torch.Tensor) -> Scratch:
        """Of this thread, kept from clip to clip: to ask for it anew takes a tenth of a pass's time."""
        if not hasattr(self._memory, "scratch"):
            self._memory.scratch = Scratch(x)
        return self._memory.scratch

    def _first(self, x: torch.Tensor, scratch: Scratch) -> Maps:
        """The convolution of one channel, whose nine products need no trick.

        Whole rows of the buffer are computed, a few at a time; what is beside the picture is cleared.
        """
        weight, bias = self.first
        height, width = x.shape[1:]
        maps = Maps.uninitialised(scratch, "first", *x.shape, len(bias))
        wide = maps.buffer.shape[2]
        for picture, buffer in zip(F.pad(x, (2, wide - width, 1, 1)), maps.buffer, strict=True):
            patches = picture.unfold(0, 3, 1).unfold(1, 3, 1)  # (height, wide, 3, 3)
            for row in range(0, height, ROWS):
                some = patches[row : row + ROWS].reshape(-1, 9)
                target = buffer[1 + row : 1 + row + len(some) // wide].view(len(some), -1)
                torch.addmm(bias, some, weight, out=target).clamp_(min=0)
        maps.clear_around()
        return maps

    def _plain(self, x: torch.Tensor) -> torch.Tensor:
        y = x[:, None].contiguous(memory_format=torch.channels_last)
        with torch.backends.cudnn.flags(allow_tf32=False):  # its ten bits are not float32
            for number, (weight, bias) in enumerate(self.plain):
                y = F.conv2d(y, weight, bias, padding=1)
                y = F.relu(y) if number + 1 < len(self.plain) else y
                y = F.max_pool2d(y, 2) if number in POOLED else y
        return y.permute(0, 2, 3, 1)


def folded(parameters: Parameters) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Weight and bias of each convolution, float64, with the batch norm behind it; the last one has none."""
    layers = []
    for number, (weight, bias) in enumerate(parameters.convolutions):
        weight, bias = weight.double(), bias.double()
        if number + 1 < len(parameters.norms):
            norm = _norm(*parameters.norms[number + 1])
            weight, bias = weight * norm.scale[:, None, None, None], bias * norm.scale + norm.shift
        layers.append((weight, bias))
    return layers


def _cells(x: torch.Tensor) -> torch.Tensor:
    """(pictures, frequency, time, channels) to the maxima of cells, (pictures, 4, 3, channels)."""
    cells = [size // count for size, count in zip(x.shape[1:3], CELLS, strict=True)]
    x = x[:, : CELLS[0] * cells[0], : CELLS[1] * cells[1]]
    return x.unflatten(2, (CELLS[1], -1)).unflatten(1, (CELLS[0], -1)).amax(dim=(2, 4))


def _norm(gamma: torch.Tensor, beta: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> Norm:
    scale = gamma.double() / (variance.double() + EPS).sqrt()
    return Norm(scale, beta.double() - mean.double() * scale)
