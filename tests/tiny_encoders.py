"""Checkpoints of tiny networks with random weights, the same everywhere, for tests without downloads."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from asdflow.encoders.beats.config import BeatsConfig
from asdflow.encoders.eat.config import EatConfig
from asdflow.encoders.eat.network import sine_positions
from asdflow.encoders.openl3.mel import mel_filters
from asdflow.foundation.seeds import generator


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


EAT_CONFIG = EatConfig(width=32, depth=2, heads=4, hidden=128, steps=40, classes=5)


def eat_tensors(config: EatConfig = EAT_CONFIG, *seed: object) -> dict[str, torch.Tensor]:
    """Under Hugging Face's names; positions rounded to half precision, as the trainer stores them."""
    tensors = random_tensors(config.tensors(), "eat", *seed)
    table = sine_positions(config.steps, config.bands, config.width)[None]
    return tensors | {"fixed_positional_encoder.positions": table.half().float()}


def eat_hugging_face(
    folder: Path, tuned: bool = False, config: EatConfig = EAT_CONFIG, **changes: object
) -> Path:
    """`model.safetensors` and `config.json`, with `changes` in the latter."""
    folder.mkdir(exist_ok=True)
    head = ("fc_norm.", "head.")
    tensors = {
        f"model.{name}": value
        for name, value in eat_tensors(config).items()
        if tuned or not name.startswith(head)
    }
    write_safetensors(folder / "model.safetensors", tensors)
    values = {
        "model_variant": "finetune" if tuned else "pretrain",
        "embed_dim": config.width,
        "depth": config.depth,
        "num_heads": config.heads,
        "max_length": config.steps,
        "num_classes": config.classes,
        "layer_norm_first": False,
        "drop_rate": 0.1,  # training only, to be left alone
    }
    (folder / "config.json").write_text(json.dumps(values | changes))
    return folder / "model.safetensors"


def eat_fairseq_content(tuned: bool = False, config: EatConfig = EAT_CONFIG, **changes: object) -> dict:
    """What fairseq's trainer saves; `changes` go to the configuration of the model or of its modality."""
    image = {
        "in_chans": 1,
        "patch_size": 16,
        "embed_dim": config.width,
        "num_extra_tokens": 1,
        "prenet_depth": 0,
        "use_alibi_encoder": False,
        "fixed_positions": True,
    }
    model = {
        "_name": "data2vec_multi",
        "embed_dim": config.width,
        "depth": config.depth,
        "num_heads": config.heads,
        "norm_eps": 1e-6,
        "mlp_ratio": 4.0,
        "layer_norm_first": False,
    }
    for key, value in changes.items():
        (image if key in image else model)[key] = value
    model["modalities"] = {"image": image}
    if tuned:
        head = {
            "_name": "mae_image_classification",
            "num_classes": config.classes,
            "use_fc_norm": True,
            "prediction_mode": "CLS_TOKEN",
        }
        labels = {f"/m/{index:03d}": str(index) for index in reversed(range(config.classes))}
        return {
            "cfg": {"model": head | {"pretrained_model_args": {"model": model}}},
            "model": {
                name if name.startswith(("fc_norm.", "head.")) else f"model.{_of_fairseq(name)}": value
                for name, value in eat_tensors(config).items()
            },
            "task_state": {"labels": labels},
        }
    student, teacher = (
        {
            _of_fairseq(name): value
            for name, value in eat_tensors(config, *seed).items()
            if not name.startswith(("fc_norm.", "head."))
        }
        for seed in ((), ("teacher",))
    )
    decoder = {"modality_encoders.IMAGE.decoder.proj.weight": torch.ones(3, 3)}
    return {
        "args": None,
        "cfg": {"model": model},
        "model": student | decoder | {"_ema": teacher},
        "last_optimizer_state": {"step": 3},
    }


def _of_fairseq(name: str) -> str:
    if name.startswith("pre_norm."):
        return name.replace("pre_norm", "modality_encoders.IMAGE.context_encoder.norm")
    return name if name.startswith("blocks.") else f"modality_encoders.IMAGE.{name}"


OPENL3_CHANNELS = (1, 4, 4, 6, 6, 8, 8, 12, 12)


def openl3_content(bands: int = 128) -> dict[str, torch.Tensor]:
    """What torchopenl3 saves; 0 bands: of the linear picture. The transform's kernels are not for use."""
    shapes = {}
    for number, (inputs, outputs) in enumerate(pairwise(OPENL3_CHANNELS), 1):
        name = f"conv2d_{number}" if number < 8 else "audio_embedding_layer"
        norm = f"batch_normalization_{number}"
        shapes |= {f"{norm}.{part}": (inputs,) for part in ("weight", "bias", "running_mean", "running_var")}
        shapes |= {f"{name}.weight": (outputs, inputs, 3, 3), f"{name}.bias": (outputs,)}
    content = random_tensors(shapes, "openl3")
    content["batch_normalization_1.running_mean"] -= 40.0  # decibels
    content["batch_normalization_1.running_var"] *= 200.0
    content["batch_normalization_1.num_batches_tracked"] = torch.tensor(7)
    content["speclayer.dft_real_kernels"] = torch.full((3, 1, 4), torch.nan)
    if bands:
        content["speclayer.mel_basis"] = torch.from_numpy(mel_filters("htk", bands, 1025, 48000))
    return content


def openl3_checkpoint(path: Path, bands: int = 128) -> Path:
    """A file of `openl3_content`."""
    torch.save(openl3_content(bands), path)
    return path


def openl3_keras(path: Path, first_number: int = 0, old_bands: int | None = None) -> Path:
    """The same weights as Keras saves them, its layers numbered from there.

    `old_bands`: as openl3 0.2 did, with the picture as the first layer; 0 bands: the linear one.
    """
    import h5py

    content = openl3_content()
    layers = {"input_1": []}
    if old_bands is not None:
        kernels = [np.zeros((4, 1, 1, 3), np.float32)] * 2
        mel = [mel_filters("htk", old_bands, 1025, 48000).T] if old_bands else []
        layers["melspectrogram_1" if old_bands else "spectrogram_1"] = kernels + mel
    for number in range(8):
        norm = f"batch_normalization_{number + 1}"
        torch_name = f"conv2d_{number + 1}" if number < 7 else "audio_embedding_layer"
        keras_name = f"conv2d_{number + first_number}" if number < 7 else "audio_embedding_layer"
        layers[f"batch_normalization_{number + first_number}"] = [
            content[f"{norm}.{part}"].numpy() for part in ("weight", "bias", "running_mean", "running_var")
        ]
        layers[keras_name] = [
            content[f"{torch_name}.weight"].permute(2, 3, 1, 0).numpy(),
            content[f"{torch_name}.bias"].numpy(),
        ]
        layers[f"activation_{number}"] = []
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, values in layers.items():
            group = file.create_group(name)
            names = [f"{name}/weight_{index}:0" for index in range(len(values))]
            group.attrs["weight_names"] = [one.encode() for one in names]
            for one, value in zip(names, values, strict=True):
                group[one] = value
    return path


def write_safetensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """A file of the safetensors format: length of the header, header, values."""
    types = {torch.float32: "F32", torch.float16: "F16"}
    header, values = {}, b""
    for name, tensor in tensors.items():
        data = tensor.numpy().tobytes()
        offsets = [len(values), len(values) + len(data)]
        header[name] = {"dtype": types[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        values += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + values)


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
