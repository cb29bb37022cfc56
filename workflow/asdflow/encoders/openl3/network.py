"""The OpenL3 network for inference: seven convolutions and a last one, batch norms folded into them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

EPS = 1e-3
POOLED = (1, 3, 5)  # convolutions followed by pooling, counted from 0
TOGETHER = {"cpu": 1, "cuda": 16}  # pictures at a time: on a CPU the maps of one stay in the cache
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

    The convolutions are torch's: 1.5 s of one core for a 2 s clip, where a hand-written Winograd took 0.82 s,
    240 lines and 200 MB more.

    Parameters
    ----------
    parameters : Parameters
    device : torch.device
    dtype : torch.dtype
        float32, or float64 to check the rounding.
    """

    def __init__(
        self, parameters: Parameters, device: torch.device, dtype: torch.dtype = torch.float32
    ) -> None:
        self.device, self.dtype = device, dtype
        self.input_norm = _norm(*parameters.norms[0])
        self.channels = len(parameters.convolutions[-1][1])
        self.layers = [
            (weight.to(device, dtype, memory_format=torch.channels_last), bias.to(device, dtype))
            for weight, bias in folded(parameters)
        ]

    @torch.inference_mode()
    def maps(self, pictures: torch.Tensor) -> torch.Tensor:
        """(pictures, bands, frames) decibels to the last map, (pictures, frequency, time, channels)."""
        return torch.cat([self._maps(part) for part in pictures.split(TOGETHER[self.device.type])])

    @torch.inference_mode()
    def embeddings(self, pictures: torch.Tensor) -> torch.Tensor:
        """(pictures, 4, 3, channels): maxima of the cells. Flattened, the larger embedding (6144 numbers)."""
        return torch.cat([_cells(self._maps(part)) for part in pictures.split(TOGETHER[self.device.type])])

    def _maps(self, pictures: torch.Tensor) -> torch.Tensor:
        """`maps` of pictures that are computed together."""
        x = pictures.to(self.dtype) * self.input_norm.scale.item() + self.input_norm.shift.item()
        y = x[:, None].contiguous(memory_format=torch.channels_last)
        with torch.backends.cudnn.flags(allow_tf32=False):  # its ten bits are not float32
            for number, (weight, bias) in enumerate(self.layers):
                y = F.conv2d(y, weight, bias, padding=1)
                y = F.max_pool2d(y, 2) if number in POOLED else y
                y = y.relu_() if number + 1 < len(self.layers) else y
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
