"""The EAT network for inference; SSLAM is the same network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn.functional import scaled_dot_product_attention

from asdflow.encoders._blocks import TransformerBlock, carry_biases, residual_sum, true_values
from asdflow.encoders._transformer import Linear, Weights, cut_patches, heads_of
from asdflow.encoders.eat.config import EatConfig


class EatNetwork:
    """From normalised filter banks to the tokens of every layer, the class token first.

    Parameters
    ----------
    config : EatConfig
    state : mapping of name to tensor
        Exactly the tensors of `config.tensors()`.
    device : torch.device
    dtype : torch.dtype
        Of sums, norms and results: float32, or float64 to check the rounding.
    product_dtype : torch.dtype, optional
        Of the matrix products, `dtype` by default.
    """

    def __init__(
        self,
        config: EatConfig,
        state: Mapping[str, torch.Tensor],
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        product_dtype: torch.dtype | None = None,
    ) -> None:
        self.config, self.device, self.dtype = config, device, dtype
        self.product_dtype = product_dtype or dtype
        self.depth, self.bands, self.width = config.depth, config.bands, config.width
        self.patch_size, self.has_head = config.patch, config.classes > 0
        weights = Weights(state, device, dtype, self.product_dtype)
        kernel, bias = (weights[f"local_encoder.proj.{kind}"] for kind in ("weight", "bias"))
        self.patch = weights.make_linear(kernel.flatten(1), bias)
        self.table = weights["fixed_positional_encoder.positions"][0]
        self.class_token = weights["extra_tokens"]
        self.pre_norm = weights.norm("pre_norm", config.eps)
        self.blocks = [self._block(weights, f"blocks.{number}") for number in range(self.depth)]
        self.carried: list[torch.Tensor] = []
        if self.product_dtype == dtype:
            self.pre_norm, self.blocks, self.carried = carry_biases(self.pre_norm, self.blocks, alpha=1.0)
        if self.has_head:
            self.head_norm = weights.norm("fc_norm", config.head_eps)
            self.head = weights.linear("head")

    def _block(self, weights: Weights, name: str) -> TransformerBlock:
        weight, bias = (weights[f"{name}.attn.qkv.{kind}"].clone() for kind in ("weight", "bias"))
        for query in (weight[: self.width], bias[: self.width]):
            query /= (self.width // self.config.heads) ** 0.5
        return TransformerBlock(
            attention=weights.make_linear(weight, bias),
            out=weights.linear(f"{name}.attn.proj"),
            attention_norm=weights.norm(f"{name}.norm1", self.config.eps),
            fc1=weights.linear(f"{name}.mlp.fc1"),
            fc2=weights.linear(f"{name}.mlp.fc2"),
            norm=weights.norm(f"{name}.norm2", self.config.eps),
        )

    @torch.inference_mode()
    def patches(self, image: torch.Tensor) -> torch.Tensor:
        """(batch, frames, 128) normalised filter bank to (batch, patches, width), positions added.

        Patch index = time step x bands + band.
        """
        x = self.patch(cut_patches(image, self.patch_size)).to(self.dtype)
        x = x.reshape(len(image), -1, self.width)
        return x + self.table[: x.shape[1]]

    @torch.inference_mode()
    def layers(self, image: torch.Tensor, wanted: set[int]) -> dict[int, torch.Tensor]:
        """{number: (batch, 1 + patches, width)} of the wanted layers, 0 (after the first norm) to depth.

        Parameters
        ----------
        image : (batch, frames, 128) tensor of `dtype` on `device`
            Frames a multiple of the patch's, no more than the position table reaches.
        """
        x = self.patches(image)
        x = self.pre_norm(torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1))
        shape, rows = x.shape, x.shape[0] * x.shape[1]
        x = x.reshape(rows, -1)
        result = {0: true_values(x, self.carried, 0).reshape(shape)} if 0 in wanted else {}
        mixed, hidden, update = (
            torch.empty((rows, size), dtype=self.product_dtype, device=self.device)
            for size in (3 * self.width, self.config.hidden, self.width)
        )
        for number, block in enumerate(self.blocks[: max(wanted)], 1):
            together = block.attention(x, out=mixed).reshape(shape[0], -1, 3 * self.width)
            q, k, v = heads_of(together, self.config.heads, self.width)
            context = scaled_dot_product_attention(q, k, v, scale=1.0).transpose(1, 2).reshape(rows, -1)
            x = block.attention_norm(self._add(x, context, block.out, update))
            x = self._add(x, torch.ops.aten.gelu_(block.fc1(x, out=hidden)), block.fc2, update)
            x = block.norm(x)
            if number in wanted:
                result[number] = true_values(x, self.carried, number).reshape(shape)
        return result

    def _add(self, x: torch.Tensor, y: torch.Tensor, linear: Linear, update: torch.Tensor) -> torch.Tensor:
        return residual_sum(x, y, linear, update, 1.0, bool(self.carried))

    @torch.inference_mode()
    def logits(self, image: torch.Tensor) -> torch.Tensor:
        """(batch, classes) of a fine-tuned checkpoint, from the class token of the last layer."""
        last = self.layers(image, {self.depth})[self.depth]
        return self.head(self.head_norm(last[:, 0])).to(self.dtype)


def sine_positions(steps: int, bands: int, width: int) -> torch.Tensor:
    """(steps x bands, width) float32 table of two-dimensional sine-cosine positions, time-major.

    First half of the width from the band, second half from the time step; in each, sines then cosines of
    position x 10000^(-k / (width / 4)), k = 0 ... width / 4 - 1.
    """
    rate = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))

    def encoded(count: int) -> torch.Tensor:
        angle = torch.arange(count, dtype=torch.float64)[:, None] * rate
        return torch.cat([angle.sin(), angle.cos()], dim=1)

    band = encoded(bands).repeat(steps, 1)
    step = encoded(steps).repeat_interleave(bands, dim=0)
    return torch.cat([band, step], dim=1).float()
