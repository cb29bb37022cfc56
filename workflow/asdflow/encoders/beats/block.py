"""Weights of the transformer blocks of BEATs, rewritten so that a block is little more than four products."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from asdflow.encoders._blocks import TransformerBlock
from asdflow.encoders._transformer import Weights
from asdflow.encoders.beats.config import BeatsConfig

EPS = 1e-5


@dataclass(frozen=True)
class Block(TransformerBlock):
    """`attention` has two gate numbers a head after q, k and v: width -> 3 width (+ 2 heads)."""

    gate_scale: torch.Tensor | None  # (heads,)


def read_block(config: BeatsConfig, weights: Weights, name: str) -> Block:
    """Weights of one block; q, k, v and gate become one product."""
    heads, attention = config.encoder_attention_heads, f"{name}.self_attn"
    rows, biases = (
        [weights[f"{attention}.{part}_proj.{kind}"] for part in "qkv"] for kind in ("weight", "bias")
    )
    gate_scale = None
    if config.relative_position_embedding and config.gru_rel_pos:
        # grep_linear acts on each head's unscaled query; its eight outputs are summed in fours.
        gate = weights[f"{attention}.grep_linear.weight"].reshape(2, 4, config.head_dim).sum(1)
        gate_bias = weights[f"{attention}.grep_linear.bias"].reshape(2, 4).sum(1)
        query = rows[0].reshape(heads, config.head_dim, -1)
        rows.append((gate @ query).reshape(2 * heads, -1))
        biases.append((biases[0].reshape(heads, -1) @ gate.T + gate_bias).reshape(-1))
        gate_scale = weights[f"{attention}.grep_a"].reshape(heads)
    rows[0], biases[0] = (part / config.head_dim**0.5 for part in (rows[0], biases[0]))
    return Block(
        attention=weights.make_linear(torch.cat(rows), torch.cat(biases)),
        gate_scale=gate_scale,
        out=weights.linear(f"{attention}.out_proj"),
        attention_norm=weights.norm(f"{attention}_layer_norm", EPS),
        fc1=weights.linear(f"{name}.fc1"),
        fc2=weights.linear(f"{name}.fc2"),
        norm=weights.norm(f"{name}.final_layer_norm", EPS),
    )
