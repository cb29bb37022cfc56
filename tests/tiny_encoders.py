"""Checkpoints of tiny networks with random weights, the same everywhere, for tests without downloads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from asdflow.encoders.beats.config import BeatsConfig
from asdflow.seeds import generator


def random_tensors(shapes: Mapping[str, tuple[int, ...]], *seed: object) -> dict[str, torch.Tensor]:
    """Norm-like tensors: matrices keep the size of what they multiply, scales are near 1, biases small."""
    tensors = {}
    for name, shape in shapes.items():
        values = generator("tiny", *seed, name).standard_normal(shape)
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 0
        if fan_in > 1:
            values /= np.sqrt(fan_in)
        elif name.endswith(("weight", "weight_g", "running_var")):
            values = 1.0 + 0.2 * np.tanh(values)
        else:
            values *= 0.3
        tensors[name] = torch.from_numpy(values.astype(np.float32))
    return tensors


BEATS_CFG = {
    "input_patch_size": 16,
    "embed_dim": 24,
    "conv_bias": False,
    "encoder_layers": 2,
    "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 64,
    "encoder_attention_heads": 4,
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "deep_norm": True,
    "conv_pos": 16,
    "conv_pos_groups": 4,
    "relative_position_embedding": True,
    "num_buckets": 32,
    "max_distance": 80,
    "gru_rel_pos": True,
    "finetuned_model": False,
    "predictor_class": 5,
    "dropout": 0.1,  # training only, to be left alone
}


def beats_content(**changes: object) -> dict:
    """`cfg`, `model` and, fine-tuned, `label_dict` of a tiny BEATs."""
    cfg = BEATS_CFG | changes
    config = BeatsConfig.read("tiny", cfg)
    model = random_tensors(config.tensors(), "beats")
    tables = [name for name in model if name.endswith("relative_attention_bias.weight")]
    for name in tables:
        model[name] = model[tables[0]]
    for name in model:
        if name.endswith("weight_g"):
            model[name] = model[name].abs() + 0.5
    content = {"cfg": cfg, "model": model}
    if cfg["finetuned_model"]:
        content["label_dict"] = {index: f"/m/{index:03d}" for index in range(cfg["predictor_class"])}
    return content


def beats_checkpoint(path: Path, **changes: object) -> Path:
    """A file of `beats_content`."""
    torch.save(beats_content(**changes), path)
    return path


def sound(samples: int, *seed: object, rate: int = 16000) -> np.ndarray:
    """(samples,) float32 of tones in noise, full scale 1."""
    rng = generator("sound", *seed)
    time = np.arange(samples) / rate
    tones = sum(
        amplitude * np.sin(2 * np.pi * frequency * time + phase)
        for amplitude, frequency, phase in zip(
            rng.uniform(0.02, 0.1, 5), rng.uniform(60, 0.45 * rate, 5), rng.uniform(0, 6, 5), strict=True
        )
    )
    return (tones + 0.02 * rng.standard_normal(samples)).astype(np.float32)
