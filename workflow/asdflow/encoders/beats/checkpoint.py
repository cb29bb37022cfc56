"""From a checkpoint file of BEATs to the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from asdflow.encoders._weights import check_tensors, read_torch
from asdflow.encoders.beats.config import BeatsConfig
from asdflow.encoders.beats.network import BeatsNetwork
from asdflow.foundation.errors import FetchError

TABLE = "encoder.layers.{}.self_attn.relative_attention_bias.weight"


def read(path: Path) -> tuple[BeatsConfig, dict[str, torch.Tensor], dict[int, str]]:
    """Configuration, tensors and (fine-tuned files) labels by class of `{"cfg": ..., "model": ...}`.

    Raises FetchError when the file holds anything but that, with all missing and unexpected names.
    """
    content = read_torch(path)
    if not (
        isinstance(content, Mapping)
        and isinstance(content.get("cfg"), Mapping)
        and isinstance(content.get("model"), Mapping)
    ):
        found = ", ".join(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise FetchError(
            path,
            f"holds {found or 'nothing'}, expected cfg and model",
            "Check that it is a BEATs checkpoint.",
        )
    config = BeatsConfig.read(path, content["cfg"])
    state = check_tensors(path, content["model"], config.tensors())
    if config.relative_position_embedding:
        for number in range(1, config.encoder_layers):
            if not torch.equal(state[TABLE.format(0)], state[TABLE.format(number)]):
                raise FetchError(
                    path,
                    f"its block {number} has another table of relative positions than block 0; BEATs has one",
                    "Check that it is a BEATs checkpoint.",
                )
    return config, state, _labels(path, content.get("label_dict") or {})


def _labels(path: Path, labels: Any) -> dict[int, str]:
    try:
        return {int(index): str(label) for index, label in labels.items()}
    except (AttributeError, TypeError, ValueError):
        raise FetchError(
            path, "its label_dict does not give classes labels", "Check that it is a BEATs checkpoint."
        ) from None


def load(path: Path, device: torch.device, product_dtype: torch.dtype) -> tuple[BeatsNetwork, dict[int, str]]:
    """The network, float32 but for its matrix products, and its labels."""
    config, state, labels = read(path)
    return BeatsNetwork(config, state, device, product_dtype=product_dtype), labels
