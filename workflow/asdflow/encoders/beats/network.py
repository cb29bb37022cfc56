"""The BEATs network for inference, arranged so that little but matrix products costs time.

Three linear maps and the gate of the position bias are one product; the scale of the attention is part of
its weights; residual sums are part of the products; the bias table is looked up once for each length;
scratch memory is shared by all blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch.nn.functional import gelu

from asdflow.encoders._blocks import carry_biases, residual_sum, true_values
from asdflow.encoders._transformer import Linear, Norm, Weights, cut_patches, heads_of
from asdflow.encoders.beats.attention import fused, head_by_head
from asdflow.encoders.beats.block import EPS, Block, read_block
from asdflow.encoders.beats.config import BeatsConfig
from asdflow.encoders.beats.positions import PositionalConvolution, relative_bias

PROJECT = "post_extract_proj"
TABLE = "encoder.layers.0.self_attn.relative_attention_bias.weight"  # repeated in every block


@dataclass
class Scratch:
    """Memory that all blocks of one pass write into."""

    mixed: torch.Tensor  # (rows, 3 width + gate)
    hidden: torch.Tensor  # (rows, ffn)
    update: torch.Tensor  # (rows, width)


class BeatsNetwork:
    """From normalised filter banks to the tokens of every layer.

    Parameters
    ----------
    config : BeatsConfig
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
        config: BeatsConfig,
        state: Mapping[str, torch.Tensor],
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        product_dtype: torch.dtype | None = None,
    ) -> None:
        self.config, self.device, self.dtype = config, device, dtype
        self.product_dtype = product_dtype or dtype
        self.depth, self.bands = config.encoder_layers, config.bands
        self.patch_size, self.width = config.input_patch_size, config.encoder_embed_dim
        self.has_head = config.finetuned_model
        self.alpha = (2.0 * self.depth) ** 0.25 if config.deep_norm else 1.0
        weights = Weights(state, device, dtype, self.product_dtype)
        patch = weights["patch_embedding.weight"].flatten(1)
        bias = weights["patch_embedding.bias"] if config.conv_bias else patch.new_zeros(len(patch))
        self.patch = weights.make_linear(patch, bias)
        self.patch_norm = weights.norm("layer_norm", EPS)
        self.project = weights.linear(PROJECT) if f"{PROJECT}.weight" in weights else None
        g, v = (weights[f"encoder.pos_conv.0.weight_{letter}"] for letter in "gv")
        kernel = g * v / v.norm(dim=(0, 1), keepdim=True)  # weight norm over the kernel's axis
        bias = weights["encoder.pos_conv.0.bias"]
        self.positions = PositionalConvolution(kernel, bias, config.conv_pos_groups)
        self.norm = weights.norm("encoder.layer_norm", EPS)
        self.blocks = [
            read_block(config, weights, f"encoder.layers.{number}") for number in range(self.depth)
        ]
        self.carried: list[torch.Tensor] = []
        if not config.layer_norm_first and self.product_dtype == dtype:
            self.norm, self.blocks, self.carried = carry_biases(self.norm, self.blocks, self.alpha)
        self.predictor = weights.linear("predictor") if self.has_head else None
        self.table = weights[TABLE] if config.relative_position_embedding else None
        on_cpu = device.type == "cpu" and self.product_dtype == dtype
        self.attend = head_by_head if on_cpu else fused
        self._bias = lru_cache(maxsize=2)(self._make_bias)

    @torch.inference_mode()
    def patches(self, image: torch.Tensor) -> torch.Tensor:
        """(batch, frames, 128) normalised filter bank to (batch, tokens, width), before positions are added.

        Token index = time step x bands + band; frames that do not fill a patch are dropped.
        """
        x = self.patch_norm(self.patch(cut_patches(image, self.patch_size)).to(self.dtype))
        if self.project is not None:
            x = self.project(x).to(self.dtype)
        return x.reshape(len(image), -1, self.width)

    @torch.inference_mode()
    def layers(self, image: torch.Tensor, wanted: set[int]) -> dict[int, torch.Tensor]:
        """Tokens of the wanted layers, 0 (input of the first block) to the number of blocks.

        Parameters
        ----------
        image : (batch, frames, 128) tensor of `dtype` on `device`
            Normalised filter bank, at least one patch long.

        Returns
        -------
        dict of number to (batch, tokens, width)
        """
        x = self.patches(image)
        x = x + gelu(self.positions(x))
        if not self.config.layer_norm_first:
            x = self.norm(x)
        shape = x.shape
        bias = self._bias(shape[1])
        x = x.reshape(-1, shape[2])
        scratch = self._scratch(len(x))
        result = {0: true_values(x, self.carried, 0).reshape(shape)} if 0 in wanted else {}
        for number, block in enumerate(self.blocks[: max(wanted)], 1):
            x = self._run(block, x, shape[0], bias, scratch)
            if number == self.depth and self.config.layer_norm_first:
                x = self.norm(x)
            if number in wanted:
                result[number] = true_values(x, self.carried, number).reshape(shape)
        return result

    @torch.inference_mode()
    def logits(self, image: torch.Tensor) -> torch.Tensor:
        """(batch, classes) of a fine-tuned checkpoint: the mean of the predictor over tokens."""
        tokens = self.layers(image, {self.depth})[self.depth]
        logits = self.predictor(tokens.flatten(0, 1)).to(self.dtype)
        return logits.reshape(*tokens.shape[:2], -1).mean(dim=1)

    def _make_bias(self, tokens: int) -> torch.Tensor | None:
        if self.table is None:
            return None
        return relative_bias(self.table, tokens, self.config.max_distance).to(self.product_dtype)

    def _scratch(self, rows: int) -> Scratch:
        def empty(columns: int) -> torch.Tensor:
            return torch.empty((rows, columns), dtype=self.product_dtype, device=self.device)

        return Scratch(
            mixed=empty(len(self.blocks[0].attention.bias)),
            hidden=empty(self.config.encoder_ffn_embed_dim),
            update=empty(self.width),
        )

    def _run(
        self, block: Block, x: torch.Tensor, batch: int, bias: torch.Tensor | None, scratch: Scratch
    ) -> torch.Tensor:
        """One block on (rows, width); may change x."""
        first = self.config.layer_norm_first
        attended = self._attend(block, block.attention_norm(x) if first else x, batch, bias, scratch)
        x = self._add(x, attended, block.out, block.attention_norm, scratch)
        hidden = block.fc1(block.norm(x) if first else x, out=scratch.hidden)
        return self._add(x, torch.ops.aten.gelu_(hidden), block.fc2, block.norm, scratch)

    def _add(
        self, x: torch.Tensor, y: torch.Tensor, linear: Linear, norm: Norm, scratch: Scratch
    ) -> torch.Tensor:
        """Residual sum with y W + b: plain where the norm came first, else norm(alpha x + y W + b)."""
        first = self.config.layer_norm_first
        total = residual_sum(x, y, linear, scratch.update, 1.0 if first else self.alpha, bool(self.carried))
        return total if first else norm(total)

    def _attend(
        self, block: Block, x: torch.Tensor, batch: int, bias: torch.Tensor | None, scratch: Scratch
    ) -> torch.Tensor:
        """Attention of all heads: (rows, width) to (rows, width)."""
        mixed = block.attention(x, out=scratch.mixed).reshape(batch, -1, scratch.mixed.shape[1])
        q, k, v = heads_of(mixed, self.config.encoder_attention_heads, self.width)
        gate = self._gate(block, mixed[..., 3 * self.width :])
        return self.attend(q, k, v, bias, gate).reshape(x.shape)

    def _gate(self, block: Block, numbers: torch.Tensor) -> torch.Tensor | None:
        """(batch, heads, tokens, 1) factor of the bias: a (c scale - 1) + 2, a and c sigmoids."""
        if block.gate_scale is None:
            return None
        a, c = numbers.to(self.dtype).unflatten(-1, (-1, 2)).sigmoid().unbind(-1)  # (batch, tokens, heads)
        gate = a * (c * block.gate_scale - 1.0) + 2.0
        return gate.transpose(1, 2).unsqueeze(-1).to(self.product_dtype)
