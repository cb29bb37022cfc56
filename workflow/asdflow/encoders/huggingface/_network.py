"""From the files of a model to the network of the library `transformers`; no code in them is ever run.

The class of the network follows from `model_type` and tensors are read by our own readers, so neither a
pickle nor a Python file beside the weights has a say. The library renames tensors of older files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdflow.checkpoints.models import CONFIG, weights_files
from asdflow.encoders._weights import listed, read_safetensors, read_torch
from asdflow.encoders.huggingface._configuration import KINDS
from asdflow.encoders.huggingface._geometry import Geometry
from asdflow.foundation.errors import FetchError

if TYPE_CHECKING:
    import torch

# Learned in pre-training to stand for masked frames; inference does not use it, and some files lack it.
UNUSED = "masked_spec_embed"


def load(geometry: Geometry, deepest: int | None, device: torch.device) -> Any:
    """The network on a device, float32, in inference mode.

    Parameters
    ----------
    deepest : int, optional
        The last block that is needed; what follows is left out. None: the whole network.

    Raises FetchError for a file that cannot be read or holds code, and for tensors that do not fit.
    """
    import importlib

    import torch

    folder, kind = geometry.folder, KINDS[geometry.config.model_type]
    state: dict[str, torch.Tensor] = {}
    for name in weights_files(folder):
        path = folder / name
        if path.suffix == ".safetensors":
            state |= read_safetensors(path)
        elif path.suffix == ".bin":
            state |= _tensors(path)
    if kind.part:
        found = {name: re.match(kind.part, name) for name in state}
        state = {name[match.end() :]: state[name] for name, match in found.items() if match}
    cls = getattr(importlib.import_module(f"transformers.models.{kind.module}"), kind.network)
    with quiet():
        network, report = cls.from_pretrained(
            None,
            config=geometry.config,
            state_dict=state,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported here with all the others
        )
    _require_complete(folder, f"{cls.base_model_prefix}.", state, report)
    network.config.tie_last_hidden_states = False  # hidden states are those of the blocks, `last` is apart
    if deepest is not None:
        blocks = network.layers if hasattr(network, "layers") else network.encoder.layers
        del blocks[max(1, deepest) :]
    return network.to(device).eval()


def _require_complete(folder: Path, prefix: str, state: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    """Raise FetchError unless every tensor of the network was in the files and none was left over.

    Where names carry the network's prefix, those without it belong to a head, which is not computed.
    """
    prefixed = any(name.startswith(prefix) for name in state)
    left = [name for name in report["unexpected_keys"] if name.startswith(prefix) or not prefixed]
    kinds = {
        "missing:": [name for name in report["missing_keys"] if name != UNUSED],
        "unexpected:": [name for name in left if name.removeprefix(prefix) != UNUSED],
        "wrong shape:": [
            f"{name} is {tuple(found)} instead of {tuple(wanted)}"
            for name, found, wanted in report["mismatched_keys"]
        ],
    }
    problems = [f"{title} {listed(sorted(names))}" for title, names in kinds.items() if names]
    if problems:
        raise FetchError(
            folder,
            f"does not hold the tensors that its {CONFIG} promises; {'; '.join(problems)}",
            "Check that its files are of one model and complete.",
        )


def _tensors(path: Path) -> Mapping[str, Any]:
    """Tensors of a `.bin` file, which is a pickle. FetchError when it holds anything else."""
    import torch

    content = read_torch(path)
    if not isinstance(content, Mapping) or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise FetchError(path, "holds more than named tensors", "Fetch or copy it again.")
    return content


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's progress bar and its table of tensors to itself: what matters becomes an error."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
