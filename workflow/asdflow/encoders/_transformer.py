"""Pieces of transformer networks for inference, arranged so that little but matrix products costs time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn.functional import layer_norm


class PatchNetwork(Protocol):
    """From a normalised log-mel picture to the tokens of every layer."""

    depth: int  # blocks
    bands: int  # patches at each time step
    patch_size: int  # frames, and mel bins, of a patch
    width: int  # channels of a token
    has_head: bool

    def layers(self, image: torch.Tensor, wanted: set[int]) -> dict[int, torch.Tensor]:
        """(batch, frames, 128) to {number: (batch, tokens, width)}, 0 being the input of the first block."""

    def logits(self, image: torch.Tensor) -> torch.Tensor:
        """(batch, classes) of a fine-tuned network."""


@dataclass(frozen=True)
class Linear:
    """y = x W + b, weights (in, out) in the type of the products: a little faster than (out, in) on a CPU."""

    weight: torch.Tensor
    bias: torch.Tensor

    def __call__(self, x: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """(rows, in) of any floating type to (rows, out)."""
        return torch.addmm(self.bias, x.to(self.weight.dtype), self.weight, out=out)


@dataclass(frozen=True)
class Norm:
    """Layer normalization over the last axis."""

    weight: torch.Tensor
    bias: torch.Tensor
    eps: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Any shape that ends in the width."""
        return layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class Weights:
    """Tensors of a checkpoint on a device, handed out as layers.

    Parameters
    ----------
    dtype : torch.dtype
        Of sums, norms and results: float32, or float64 to check the rounding.
    product_dtype : torch.dtype
        Of the matrix products.
    """

    def __init__(
        self,
        state: Mapping[str, torch.Tensor],
        device: torch.device,
        dtype: torch.dtype,
        product_dtype: torch.dtype,
    ) -> None:
        self.state, self.device, self.dtype, self.product_dtype = state, device, dtype, product_dtype

    def __contains__(self, name: str) -> bool:
        return name in self.state

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.state[name].to(self.device, self.dtype)

    def linear(self, name: str) -> Linear:
        """`name`.weight (out, in) and `name`.bias."""
        return self.make_linear(self[f"{name}.weight"], self[f"{name}.bias"])

    def make_linear(self, weight: torch.Tensor, bias: torch.Tensor) -> Linear:
        """From weight (out, in) and bias."""
        return Linear(weight.T.to(self.product_dtype).contiguous(), bias.to(self.product_dtype))

    def norm(self, name: str, eps: float) -> Norm:
        """`name`.weight and `name`.bias."""
        return Norm(self[f"{name}.weight"], self[f"{name}.bias"], eps)


def cut_patches(image: torch.Tensor, size: int) -> torch.Tensor:
    """(batch, frames, bins) to (batch x steps x bands, size x size), time-major; the rest is cut."""
    steps, bands = image.shape[1] // size, image.shape[2] // size
    patches = image[:, : steps * size].reshape(-1, steps, size, bands, size).transpose(2, 3)
    return patches.reshape(-1, size * size)


def heads_of(mixed: torch.Tensor, heads: int, width: int) -> list[torch.Tensor]:
    """q, k and v, each (batch, heads, tokens, head_dim), from (batch, tokens, at least 3 x width). Views."""
    return [
        mixed[..., part * width : (part + 1) * width].unflatten(-1, (heads, -1)).transpose(1, 2)
        for part in range(3)
    ]
