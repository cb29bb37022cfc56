"""The sizes of a BEATs network, all read from its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from asdflow.foundation.errors import FetchError

MEL_BINS = 128
LABELS = "label_dict"
LARGEST = 65536  # of any size: the largest published is 3072


@dataclass(frozen=True)
class BeatsConfig:
    """Keys of `cfg` that decide the computation, with the values of the published code for absent ones."""

    input_patch_size: int = 16
    embed_dim: int = 512
    conv_bias: bool = False
    encoder_layers: int = 12
    encoder_embed_dim: int = 768
    encoder_ffn_embed_dim: int = 3072
    encoder_attention_heads: int = 12
    activation_fn: str = "gelu"
    layer_norm_first: bool = False
    deep_norm: bool = False
    conv_pos: int = 128
    conv_pos_groups: int = 16
    relative_position_embedding: bool = False
    num_buckets: int = 320
    max_distance: int = 1280
    gru_rel_pos: bool = False
    finetuned_model: bool = False
    predictor_class: int = 527

    @classmethod
    def read(cls, where: object, cfg: Mapping[str, Any]) -> BeatsConfig:
        """From a checkpoint's `cfg`. Raises FetchError for values that no BEATs network can have."""
        values = {field.name: cfg[field.name] for field in fields(cls) if field.name in cfg}
        config = cls(**values)
        for field in fields(cls):
            value, wanted = getattr(config, field.name), type(field.default)
            if type(value) is not wanted or (wanted is int and not 1 <= value <= LARGEST):
                limits = f" from 1 to {LARGEST}" if wanted is int else ""
                raise _refusal(where, field.name, value, f"{wanted.__name__}{limits}")
        if config.activation_fn != "gelu":
            raise _refusal(where, "activation_fn", config.activation_fn, "'gelu'")
        for name, value, parts in (
            ("encoder_embed_dim", config.encoder_embed_dim, config.encoder_attention_heads),
            ("encoder_embed_dim", config.encoder_embed_dim, config.conv_pos_groups),
            ("num_buckets", config.num_buckets, 4),
        ):
            if value % parts:
                raise _refusal(where, name, value, f"a multiple of {parts}")
        if MEL_BINS % config.input_patch_size:
            raise _refusal(where, "input_patch_size", config.input_patch_size, f"a divisor of {MEL_BINS}")
        return config

    @property
    def bands(self) -> int:
        """Mel patches at each time step."""
        return MEL_BINS // self.input_patch_size

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.encoder_embed_dim // self.encoder_attention_heads

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor in a checkpoint of these sizes."""
        patch, embed, width = self.input_patch_size, self.embed_dim, self.encoder_embed_dim
        heads = self.encoder_attention_heads
        shapes: dict[str, tuple[int, ...]] = {"patch_embedding.weight": (embed, 1, patch, patch)}
        if self.conv_bias:
            shapes["patch_embedding.bias"] = (embed,)
        shapes |= _norm("layer_norm", embed)
        if embed != width:
            shapes |= _linear("post_extract_proj", embed, width)
        shapes |= {
            "encoder.pos_conv.0.bias": (width,),
            "encoder.pos_conv.0.weight_g": (1, 1, self.conv_pos),
            "encoder.pos_conv.0.weight_v": (width, width // self.conv_pos_groups, self.conv_pos),
        }
        shapes |= _norm("encoder.layer_norm", width)
        for number in range(self.encoder_layers):
            layer = f"encoder.layers.{number}"
            for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                shapes |= _linear(f"{layer}.self_attn.{part}", width, width)
            if self.relative_position_embedding:
                table = f"{layer}.self_attn.relative_attention_bias.weight"
                shapes[table] = (self.num_buckets, heads)
                if self.gru_rel_pos:
                    shapes |= _linear(f"{layer}.self_attn.grep_linear", self.head_dim, 8)
                    shapes[f"{layer}.self_attn.grep_a"] = (1, heads, 1, 1)
            shapes |= _norm(f"{layer}.self_attn_layer_norm", width)
            shapes |= _linear(f"{layer}.fc1", width, self.encoder_ffn_embed_dim)
            shapes |= _linear(f"{layer}.fc2", self.encoder_ffn_embed_dim, width)
            shapes |= _norm(f"{layer}.final_layer_norm", width)
        if self.finetuned_model:
            shapes |= _linear("predictor", width, self.predictor_class)
        return shapes


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _refusal(where: object, key: str, value: Any, wanted: str) -> FetchError:
    return FetchError(
        where, f"its cfg has {key} = {value!r}, expected {wanted}", "Check that it is a BEATs checkpoint."
    )
