"""From a checkpoint file of EAT or SSLAM, in either of its two layouts, to the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from asdflow.encoders._weights import check_tensors, read_safetensors, read_torch
from asdflow.encoders.eat.config import (
    EatConfig,
    config_beside,
    from_fairseq,
    from_hugging_face,
    from_shapes,
    refuse,
)
from asdflow.encoders.eat.network import EatNetwork, sine_positions
from asdflow.foundation.documents import parse_json
from asdflow.foundation.errors import FetchError

POSITIONS = "fixed_positional_encoder.positions"
FAIRSEQ = {"modality_encoders.IMAGE.context_encoder.norm.": "pre_norm.", "modality_encoders.IMAGE.": ""}
# What a pre-trained fairseq file holds besides the student: its decoder, and the teacher as a dictionary.
IGNORED = ("decoder.", "_ema")

State = dict[str, torch.Tensor]


def read(path: Path) -> tuple[EatConfig, State, dict[int, str]]:
    """Sizes, tensors under Hugging Face's names, and labels by class (fine-tuned fairseq files).

    Raises FetchError when the file is neither of the two, holds code, or lacks tensors; all are listed.
    """
    with open(path, "rb") as file:
        zipped = file.read(2) == b"PK"
    config, found, labels = (_read_fairseq if zipped else _read_hugging_face)(path)
    if POSITIONS not in found:
        found[POSITIONS] = sine_positions(config.steps, config.bands, config.width)[None]
    return config, check_tensors(path, found, config.tensors(), IGNORED), labels


def load(path: Path, device: torch.device, product_dtype: torch.dtype) -> tuple[EatNetwork, dict[int, str]]:
    """The network, float32 but for its matrix products, and its labels."""
    config, state, labels = read(path)
    return EatNetwork(config, state, device, product_dtype=product_dtype), labels


def _read_hugging_face(path: Path) -> tuple[EatConfig, State, dict[int, str]]:
    found = {name.removeprefix("model."): value for name, value in read_safetensors(path).items()}
    beside = config_beside(path)
    if beside is None:
        return from_shapes(path, {name: tuple(value.shape) for name, value in found.items()}), found, {}
    return configuration(beside), found, {}


def configuration(path: Path) -> EatConfig:
    """Sizes from a config.json of the hub. Raises FetchError for a damaged one, or of another network."""
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError(f"it holds a {type(values).__name__}")
    except ValueError as error:
        raise FetchError(path, f"is not JSON of options: {error}", "Fetch it again.") from None
    return from_hugging_face(path, values)


def _read_fairseq(path: Path) -> tuple[EatConfig, State, dict[int, str]]:
    content = read_torch(path)
    model = _mapping(path, content, "cfg", "model")
    kind, classes, labels = model.get("_name"), 0, {}
    if kind == "mae_image_classification":
        refuse(path, model, use_fc_norm=True, prediction_mode="CLS_TOKEN")
        classes = model.get("num_classes", 527)
        model = _mapping(path, model, "pretrained_model_args", "model")
        task = content.get("task_state") or {}
        labels = {int(index): str(label) for label, index in (task.get("labels") or {}).items()}
    elif kind != "data2vec_multi":
        raise FetchError(
            path,
            f"its model is {kind!r}, expected 'data2vec_multi' or 'mae_image_classification'",
            "Check that it is a checkpoint of EAT or SSLAM.",
        )
    found = {_plain(name): value for name, value in _mapping(path, content, "model").items()}
    table = found.get(POSITIONS)
    rows = table.shape[1] if isinstance(table, torch.Tensor) and table.ndim == 3 else None
    return from_fairseq(path, model, classes, rows), found, labels


def _plain(name: str) -> str:
    """Hugging Face's name of a fairseq tensor."""
    name = name.removeprefix("model.")
    for prefix, ours in FAIRSEQ.items():
        if name.startswith(prefix):
            return ours + name.removeprefix(prefix)
    return name


def _mapping(path: Path, content: Any, *keys: str) -> dict[str, Any]:
    """The dictionary at those keys, or FetchError."""
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    if not isinstance(content, Mapping):
        raise FetchError(
            path, f"has no dictionary {'.'.join(keys)}", "Check that it is a checkpoint of EAT or SSLAM."
        )
    return dict(content)
