"""Weights of the transformer blocks of BEATs, rewritten so that a block is little more than four products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from asdflow.encoders._transformer import Linear, Norm, Weights
from asdflow.encoders.beats.config import BeatsConfig

EPS = 1e-5


@dataclass(frozen=True)
class Block:
    """Weights of one transformer block."""

    attention: Linear  # q / sqrt(head_dim), k, v, and two gate numbers a head: width -> 3 width (+ 2 heads)
    gate_scale: torch.Tensor | None  # (heads,)
    out: Linear
    attention_norm: Norm
    fc1: Linear
    fc2: Linear
    norm: Norm


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


def carry_biases(
    norm: Norm, blocks: Sequence[Block], alpha: float
) -> tuple[Norm, list[Block], list[torch.Tensor]]:
    """Post-norm blocks whose residual sums need no bias: alpha x + y W + b = alpha (x + b / alpha) + y W.

    Every norm adds b / alpha of the sum that follows to its output, and the product in between subtracts what
    that adds to it. A residual sum is then one product into the memory of x, which saves 3 % of a clip's time
    on a CPU.

    Parameters
    ----------
    norm : Norm
        The one before the first block.

    Returns
    -------
    norm, blocks, carried : Norm, list of Block, list of (width,) tensors
        `carried[n]` is to be subtracted from layer n to have its true value; it is 0 for the last layer.
    """
    carried = [block.out.bias / alpha for block in blocks]
    carried.append(torch.zeros_like(carried[0]))
    changed = []
    for block, before, after in zip(blocks, carried[:-1], carried[1:], strict=True):
        inside = block.fc2.bias / alpha
        changed.append(
            replace(
                block,
                attention=_without(block.attention, before),
                attention_norm=_adding(block.attention_norm, inside),
                fc1=_without(block.fc1, inside),
                norm=_adding(block.norm, after),
            )
        )
    return _adding(norm, carried[0]), changed, carried


def _adding(norm: Norm, shift: torch.Tensor) -> Norm:
    return replace(norm, bias=norm.bias + shift)


def _without(linear: Linear, shift: torch.Tensor) -> Linear:
    return replace(linear, bias=linear.bias - shift @ linear.weight)
