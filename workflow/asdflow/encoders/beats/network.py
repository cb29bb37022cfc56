"""The BEATs network for inference, arranged so that little but matrix products costs time.

Three linear maps and the gate of the position bias are one product; the scale of the attention is part of its
weights; the bias table is looked up once for each length; scratch memory is shared by all blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention

from asdflow.encoders.beats.config import BeatsConfig
from asdflow.encoders.beats.positions import PositionalConvolution, relative_bias

# Elements of the attention bias made at once on the CPU (4 MB): it is read again while still in the cache.
CPU_BIAS_ELEMENTS = 1 << 20


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
    eps: float = 1e-5

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


@dataclass(frozen=True)
class Block:
    """Weights of one transformer block."""

    attention: Linear  # q / sqrt(head_dim), k, v, and two gate numbers a head: width -> 3 width (+ 2 heads)
    gate_scale: torch.Tensor | None  # (heads, 1, 1)
    out: Linear
    attention_norm: Norm
    fc1: Linear
    fc2: Linear
    norm: Norm


@dataclass
class Scratch:
    """Memory that all blocks of one pass write into."""

    mixed: torch.Tensor  # (rows, 3 width + gate)
    hidden: torch.Tensor  # (rows, ffn)
    update: torch.Tensor  # (rows, width)
    bias: torch.Tensor  # (batch, heads at once, tokens, tokens)


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
        self._state = {name: tensor.to(device, dtype) for name, tensor in state.items()}
        patch = self._state["patch_embedding.weight"].flatten(1)
        self.patch = self._linear(patch, self._state.get("patch_embedding.bias", patch.new_zeros(len(patch))))
        self.patch_norm = self._norm("layer_norm")
        self.project = self._named_linear("post_extract_proj") if self._has("post_extract_proj") else None
        g, v = (self._state[f"encoder.pos_conv.0.weight_{letter}"] for letter in "gv")
        self.positions = PositionalConvolution(
            g * v / v.norm(dim=(0, 1), keepdim=True),
            self._state["encoder.pos_conv.0.bias"],
            config.conv_pos_groups,
        )
        self.norm = self._norm("encoder.layer_norm")
        self.blocks = [self._block(f"encoder.layers.{number}") for number in range(config.encoder_layers)]
        self.predictor = self._named_linear("predictor") if self._has("predictor") else None
        self.table = self._state.get("encoder.layers.0.self_attn.relative_attention_bias.weight")
        self.alpha = (2.0 * config.encoder_layers) ** 0.25 if config.deep_norm else 1.0
        self._bias = lru_cache(maxsize=2)(self._make_bias)
        self._state = {}

    # --- weights ---

    def _has(self, name: str) -> bool:
        return f"{name}.weight" in self._state

    def _linear(self, weight: torch.Tensor, bias: torch.Tensor) -> Linear:
        return Linear(weight.T.to(self.product_dtype).contiguous(), bias.to(self.product_dtype))

    def _named_linear(self, name: str) -> Linear:
        return self._linear(self._state[f"{name}.weight"], self._state[f"{name}.bias"])

    def _norm(self, name: str) -> Norm:
        return Norm(self._state[f"{name}.weight"], self._state[f"{name}.bias"])

    def _block(self, name: str) -> Block:
        config, heads = self.config, self.config.encoder_attention_heads
        weights, biases = (
            [self._state[f"{name}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
            for kind in ("weight", "bias")
        )
        gate_scale = None
        if config.relative_position_embedding and config.gru_rel_pos:
            # grep_linear acts on each head's unscaled query; its eight outputs are summed in fours.
            gate = self._state[f"{name}.self_attn.grep_linear.weight"].reshape(2, 4, config.head_dim).sum(1)
            gate_bias = self._state[f"{name}.self_attn.grep_linear.bias"].reshape(2, 4).sum(1)
            query = weights[0].reshape(heads, config.head_dim, -1)
            weights.append((gate @ query).reshape(2 * heads, -1))
            biases.append((biases[0].reshape(heads, -1) @ gate.T + gate_bias).reshape(-1))
            gate_scale = self._state[f"{name}.self_attn.grep_a"].reshape(heads, 1)
        weights[0], biases[0] = (part / config.head_dim**0.5 for part in (weights[0], biases[0]))
        return Block(
            attention=self._linear(torch.cat(weights), torch.cat(biases)),
            gate_scale=gate_scale,
            out=self._named_linear(f"{name}.self_attn.out_proj"),
            attention_norm=self._norm(f"{name}.self_attn_layer_norm"),
            fc1=self._named_linear(f"{name}.fc1"),
            fc2=self._named_linear(f"{name}.fc2"),
            norm=self._norm(f"{name}.final_layer_norm"),
        )

    # --- computation ---

    @torch.inference_mode()
    def patches(self, image: torch.Tensor) -> torch.Tensor:
        """(batch, frames, 128) normalised filter bank to (batch, tokens, width), before positions are added.

        Token index = time step x bands + band; frames that do not fill a patch are dropped.
        """
        size, bands = self.config.input_patch_size, self.config.bands
        steps = image.shape[1] // size
        patches = image[:, : steps * size].reshape(-1, steps, size, bands, size).transpose(2, 3)
        x = self.patch_norm(self.patch(patches.reshape(-1, size * size)).to(self.dtype))
        if self.project is not None:
            x = self.project(x).to(self.dtype)
        return x.reshape(len(image), steps * bands, -1)

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
        scratch = self._scratch(*shape[:2])
        bias = self._bias(shape[1])
        x = x.reshape(-1, shape[2])
        result = {0: x.reshape(shape)} if 0 in wanted else {}
        for number, block in enumerate(self.blocks[: max(wanted)], 1):
            x = self._run(block, x, shape[0], bias, scratch)
            if number == len(self.blocks) and self.config.layer_norm_first:
                x = self.norm(x)
            if number in wanted:
                result[number] = x.reshape(shape)
        return result

    @torch.inference_mode()
    def probabilities(self, image: torch.Tensor) -> torch.Tensor:
        """(batch, classes) of a fine-tuned checkpoint: sigmoid of the mean over tokens of the predictor."""
        depth = len(self.blocks)
        tokens = self.layers(image, {depth})[depth]
        logits = self.predictor(tokens.flatten(0, 1)).to(self.dtype)
        return torch.sigmoid(logits.reshape(*tokens.shape[:2], -1).mean(dim=1))

    def _make_bias(self, tokens: int) -> torch.Tensor | None:
        if self.table is None:
            return None
        return relative_bias(self.table, tokens, self.config.max_distance)

    def _scratch(self, batch: int, tokens: int) -> Scratch:
        rows, heads = batch * tokens, self.config.encoder_attention_heads
        if self.device.type == "cpu":
            heads = min(heads, max(1, CPU_BIAS_ELEMENTS // (batch * tokens * tokens)))

        def empty(*shape: int) -> torch.Tensor:
            return torch.empty(shape, dtype=self.product_dtype, device=self.device)

        return Scratch(
            mixed=empty(rows, len(self.blocks[0].attention.bias)),
            hidden=empty(rows, self.config.encoder_ffn_embed_dim),
            update=empty(rows, self.config.encoder_embed_dim),
            bias=empty(batch, heads, tokens, tokens),
        )

    def _run(
        self, block: Block, x: torch.Tensor, batch: int, bias: torch.Tensor | None, scratch: Scratch
    ) -> torch.Tensor:
        """One block on (rows, width)."""
        first = self.config.layer_norm_first
        attended = self._attend(block, block.attention_norm(x) if first else x, batch, bias, scratch)
        x = self._add(x, block.out(attended, out=scratch.update), block.attention_norm)
        hidden = block.fc1(block.norm(x) if first else x, out=scratch.hidden)
        hidden = torch.ops.aten.gelu_(hidden)
        return self._add(x, block.fc2(hidden, out=scratch.update), block.norm)

    def _add(self, x: torch.Tensor, update: torch.Tensor, norm: Norm) -> torch.Tensor:
        """Residual sum: plain where the norm came first, else norm(alpha x + update)."""
        if self.config.layer_norm_first:
            return x + update
        return norm(torch.add(update, x, alpha=self.alpha))

    def _attend(
        self, block: Block, x: torch.Tensor, batch: int, bias: torch.Tensor | None, scratch: Scratch
    ) -> torch.Tensor:
        """softmax(q k^T + gate bias) v of all heads: (rows, width) to (rows, width)."""
        heads, width = self.config.encoder_attention_heads, self.config.encoder_embed_dim
        mixed = block.attention(x, out=scratch.mixed).reshape(batch, -1, scratch.mixed.shape[1])
        q, k, v = (
            mixed[..., part * width : (part + 1) * width].unflatten(-1, (heads, -1)).transpose(1, 2)
            for part in range(3)
        )
        gate = self._gate(block, mixed[..., 3 * width :])
        at_once = scratch.bias.shape[1]
        context = []
        for start in range(0, heads, at_once):
            part = slice(start, start + at_once)
            mask = None
            if bias is not None:
                mask = scratch.bias[:, : min(at_once, heads - start)]
                if gate is None:
                    mask.copy_(bias[part])
                else:
                    torch.mul(gate[:, part], bias[part], out=mask)
            context.append(scaled_dot_product_attention(q[:, part], k[:, part], v[:, part], mask, scale=1.0))
        return torch.cat([part.transpose(1, 2) for part in context], dim=2).reshape(x.shape)

    def _gate(self, block: Block, numbers: torch.Tensor) -> torch.Tensor | None:
        """(batch, heads, tokens, 1) factor of the bias: a (c scale - 1) + 2, a and c sigmoids."""
        if block.gate_scale is None:
            return None
        a, c = numbers.to(self.dtype).unflatten(-1, (-1, 2)).sigmoid().unbind(-1)  # (batch, tokens, heads)
        gate = a * (c * block.gate_scale.T - 1.0) + 2.0
        return gate.transpose(1, 2).unsqueeze(-1).to(self.product_dtype)
