"""From the files of a model to the network of the library `transformers`; no code of theirs is ever run.

The class of the network is chosen here by `model_type` and tensors are read by our own readers, so neither a
pickle nor a Python file beside the weights has a say. The library renames tensors of older files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdflow.checkpoints.models import CONFIG, FRONT_ENDS, weights_files
from asdflow.encoders._weights import listed, read_safetensors, read_torch
from asdflow.encoders.huggingface._ast import Patches
from asdflow.encoders.huggingface._geometry import Geometry, front_end_options
from asdflow.encoders.huggingface._waves import Waves
from asdflow.encoders.huggingface._whisper import Padded
from asdflow.errors import ConfigError, FetchError

if TYPE_CHECKING:
    import torch

# Learned in pre-training to stand for masked frames; inference does not use it, and some files lack it.
UNUSED = "masked_spec_embed"


@dataclass(frozen=True)
class Kind:
    """Where the library has a `model_type`, and the geometry of its frames."""

    module: str  # below transformers.models
    network: str
    front_end: str
    geometry: type[Geometry]
    part: str = ""  # pattern of the names of the only part that is read and computed


WAVES = ("Wav2Vec2FeatureExtractor", Waves)
KINDS = {
    "audio-spectrogram-transformer": Kind(
        "audio_spectrogram_transformer.modeling_audio_spectrogram_transformer",
        "ASTModel",
        "ASTFeatureExtractor",
        Patches,
    ),
    "data2vec-audio": Kind("data2vec.modeling_data2vec_audio", "Data2VecAudioModel", *WAVES),
    "hubert": Kind("hubert.modeling_hubert", "HubertModel", *WAVES),
    "wav2vec2": Kind("wav2vec2.modeling_wav2vec2", "Wav2Vec2Model", *WAVES),
    "wavlm": Kind("wavlm.modeling_wavlm", "WavLMModel", *WAVES),
    "whisper": Kind(
        "whisper.modeling_whisper",
        "WhisperEncoder",
        "WhisperFeatureExtractor",
        Padded,
        r"(model\.)?encoder\.",
    ),
}


def library() -> Any:
    """The module `transformers`. ConfigError naming the extra where it is not installed."""
    try:
        import transformers
    except ImportError:
        raise ConfigError(
            "encoder 'huggingface'",
            "needs the package transformers, which is not installed",
            "Install it with `pip install -c envs/lock.txt -e '.[huggingface]'`.",
        ) from None
    return transformers


def read_geometry(folder: Path) -> Geometry:
    """Geometry of a model's frames, from its configuration and front end; weights are not opened.

    Raises FetchError for a file that cannot be read, a kind of network that is not known, and parts that do
    not go together.
    """
    transformers = library()
    options = _json(folder / CONFIG)
    kind = kind_of(folder, options)
    path = next((folder / name for name in FRONT_ENDS if (folder / name).is_file()), folder / FRONT_ENDS[0])
    config = _built(folder / CONFIG, transformers.CONFIG_MAPPING[options["model_type"]], options)
    front_end = _built(path, getattr(transformers, kind.front_end), front_end_options(_json(path)))
    return kind.geometry(folder, config, front_end)


def kind_of(folder: Path, options: Mapping[str, Any]) -> Kind:
    """The kind of network that a configuration names. FetchError when it is not one of KINDS."""
    found = options.get("model_type")
    if found not in KINDS:
        raise FetchError(
            folder / CONFIG,
            f"has model_type {found!r}, which this encoder does not know",
            f"Known: {', '.join(KINDS)}. Another network needs an encoder of its own, see CONTRIBUTING.md.",
        )
    return KINDS[found]


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


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FetchError(path, f"is no JSON: {error}", "Fetch or copy it again.") from None
    if not isinstance(content, dict):
        raise FetchError(path, f"holds a {type(content).__name__}", "Fetch or copy it again.")
    return content


def _built(path: Path, cls: Any, options: dict[str, Any]) -> Any:
    """A configuration object of the library, which checks its options in ways of its own."""
    from huggingface_hub.errors import StrictDataclassError

    try:
        return cls.from_dict(options)
    except (StrictDataclassError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise FetchError(path, f"is no configuration of {cls.__name__}: {reason}", "Copy it again.") from None


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
