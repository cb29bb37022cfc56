"""The sizes of an EAT network, and what its two file layouts call them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asdflow.foundation.errors import FetchError

MEL_BINS = 128


def config_beside(path: Path) -> Path | None:
    """The configuration that belongs to a safetensors file, if there is one."""
    names = [f"{path.stem}_config.json", f"{path.stem}.json"]
    names += ["config.json"] if path.stem == "model" else []
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)


DEEPEST, LARGEST = 1000, 1_000_000
"""Blocks, and any number of a configuration: beyond them a file is damaged."""


@dataclass(frozen=True)
class EatConfig:
    """What decides the computation. Defaults are those of the base model."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    hidden: int = 3072
    patch: int = 16
    eps: float = 1e-6
    steps: int = 768  # rows of the position table / bands: the longest clip
    classes: int = 0  # 0: self-supervised
    head_eps: float = 1e-6  # of the norm in front of the head

    @property
    def bands(self) -> int:
        """Patches at each time step."""
        return MEL_BINS // self.patch

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Name (Hugging Face's, without "model.") and shape of every tensor."""
        width = self.width
        shapes = {
            "extra_tokens": (1, 1, width),
            "local_encoder.proj.weight": (width, 1, self.patch, self.patch),
            "local_encoder.proj.bias": (width,),
            "fixed_positional_encoder.positions": (1, self.steps * self.bands, width),
            "pre_norm.weight": (width,),
            "pre_norm.bias": (width,),
        }
        for number in range(self.depth):
            for name, outputs, inputs in (
                ("attn.qkv", 3 * width, width),
                ("attn.proj", width, width),
                ("mlp.fc1", self.hidden, width),
                ("mlp.fc2", width, self.hidden),
            ):
                shapes[f"blocks.{number}.{name}.weight"] = (outputs, inputs)
                shapes[f"blocks.{number}.{name}.bias"] = (outputs,)
            for name in ("norm1", "norm2"):
                shapes[f"blocks.{number}.{name}.weight"] = (width,)
                shapes[f"blocks.{number}.{name}.bias"] = (width,)
        if self.classes:
            shapes["fc_norm.weight"] = shapes["fc_norm.bias"] = (width,)
            shapes["head.weight"], shapes["head.bias"] = (self.classes, width), (self.classes,)
        return shapes


def from_hugging_face(where: object, values: Mapping[str, Any]) -> EatConfig:
    """Sizes from a config.json. Raises FetchError for a variant that is not published."""
    get = _reader(where, values)
    width = get("embed_dim", 768)
    refuse(where, values, layer_norm_first=False, fixed_positions=True, in_chans=1, mel_bins=MEL_BINS)
    refuse(where, values, qkv_bias=True, stride=values.get("patch_size", 16))
    variant = values.get("model_variant", "pretrain")
    if variant not in ("pretrain", "finetune"):
        raise _refusal(where, "model_variant", variant, "'pretrain' or 'finetune'")
    return _checked(
        where,
        EatConfig(
            width=width,
            depth=get("depth", 12),
            heads=get("num_heads", 12),
            hidden=int(width * get("mlp_ratio", 4.0)),
            patch=get("patch_size", 16),
            eps=get("norm_eps", 1e-6),
            steps=get("max_length", 768),
            classes=get("num_classes", 527) if variant == "finetune" else 0,
            head_eps=1e-5,
        ),
    )


def from_fairseq(where: object, model: Mapping[str, Any], classes: int, rows: int | None) -> EatConfig:
    """Sizes from `cfg["model"]` of a pre-trained file, or what a fine-tuned one says of its pre-training.

    Parameters
    ----------
    classes : int
        Of the fine-tuned head, 0 without one.
    rows : int, optional
        Of the position table in the file.
    """
    image = mapping(where, mapping(where, model, "modalities"), "image")
    get, get_image = _reader(where, model), _reader(where, image)
    width = get("embed_dim", 768)
    refuse(where, model, layer_norm_first=False)
    refuse(where, image, use_alibi_encoder=False, fixed_positions=True, prenet_depth=0)
    refuse(where, image, in_chans=1, num_extra_tokens=1, embed_dim=width)
    patch = max(1, get_image("patch_size", 16))
    steps = get_image("max_length", 768) if rows is None else rows // max(1, MEL_BINS // patch)
    eps = get("norm_eps", 1e-6)
    return _checked(
        where,
        EatConfig(
            width=width,
            depth=get("depth", 12),
            heads=get("num_heads", 12),
            hidden=int(width * get("mlp_ratio", 4.0)),
            patch=patch,
            eps=eps,
            steps=steps,
            classes=classes,
            head_eps=1e-6,
        ),
    )


def from_shapes(where: object, shapes: Mapping[str, tuple[int, ...]]) -> EatConfig:
    """Sizes of a Hugging Face file without its config.json: all but the number of heads stand in its shapes.

    Published models have heads of 64 channels.
    """
    kernel = shapes.get("local_encoder.proj.weight", ())
    if len(kernel) != 4 or kernel[0] % 64 or kernel[2] < 1:
        raise FetchError(
            where,
            "has no config.json beside it, and its tensors are not those of a published EAT model",
            "Put the config.json of the model into the same folder.",
        )
    width, patch = kernel[0], kernel[2]
    rows = (*shapes.get("fixed_positional_encoder.positions", ()), 1, 768 * MEL_BINS // patch)[1]
    blocks = {name.split(".")[1] for name in shapes if name.startswith("blocks.")}
    return _checked(
        where,
        EatConfig(
            width=width,
            depth=len(blocks),
            heads=width // 64,
            hidden=(*shapes.get("blocks.0.mlp.fc1.weight", ()), 4 * width)[0],
            patch=patch,
            steps=rows // max(1, MEL_BINS // patch),
            classes=(*shapes.get("head.weight", ()), 0)[0],
            head_eps=1e-5,
        ),
    )


def mapping(where: object, values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The options below a key; none where it is not there. Raises FetchError for anything else."""
    found = values.get(key, {})
    if not isinstance(found, Mapping):
        raise _refusal(where, key, found, "options")
    return found


def refuse(where: object, values: Mapping[str, Any], **published: Any) -> None:
    """Raise FetchError where a key is there and differs from what every published model has."""
    for key, wanted in published.items():
        if key in values and values[key] != wanted:
            raise _refusal(where, key, values[key], f"{wanted!r} as in every published model")


def _checked(where: object, config: EatConfig) -> EatConfig:
    for key in ("width", "depth", "heads", "hidden", "patch", "steps"):
        if getattr(config, key) < 1:
            raise _refusal(where, key, getattr(config, key), "a positive number")
    if config.depth > DEEPEST:
        raise _refusal(where, "depth", config.depth, f"at most {DEEPEST}")
    if config.width % config.heads:
        raise _refusal(where, "embed_dim", config.width, f"a multiple of its {config.heads} heads")
    if config.width % 4:
        raise _refusal(where, "embed_dim", config.width, "a multiple of 4")
    if MEL_BINS % config.patch:
        raise _refusal(where, "patch_size", config.patch, f"a divisor of {MEL_BINS}")
    return config


def _reader(where: object, values: Mapping[str, Any]):
    def get(key: str, default: Any) -> Any:
        value = values.get(key, default)
        number = (int, float) if isinstance(default, float) else int
        if isinstance(value, bool) or not isinstance(value, number) or not abs(value) <= LARGEST:
            raise _refusal(where, key, value, f"a number, at most {LARGEST}")
        return value

    return get


def _refusal(where: object, key: str, value: Any, wanted: str) -> FetchError:
    return FetchError(
        where,
        f"its configuration has {key} = {value!r}, expected {wanted}",
        "Check that it is a checkpoint of EAT or SSLAM.",
    )
