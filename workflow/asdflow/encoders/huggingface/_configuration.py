"""What the configuration of a model says: the kind of its network, and where its frames lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asdflow.checkpoints.models import CONFIG, FRONT_ENDS
from asdflow.encoders.huggingface._ast import Patches
from asdflow.encoders.huggingface._geometry import Geometry
from asdflow.encoders.huggingface._waves import Waves
from asdflow.encoders.huggingface._whisper import Padded
from asdflow.foundation.documents import parse_json
from asdflow.foundation.errors import ConfigError, FetchError


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
    front_end = _built(path, getattr(transformers, kind.front_end), _front_end(path, kind))
    try:
        return kind.geometry(folder, config, front_end)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}, {' '.join(str(error).split())}"
        raise FetchError(folder, f"has options that make no network: {reason}", "Copy it again.") from None


def kind_of(folder: Path, options: Mapping[str, Any]) -> Kind:
    """The kind of network that a configuration names. FetchError when it is not one of KINDS."""
    found = options.get("model_type")
    if not isinstance(found, str) or found not in KINDS:
        raise FetchError(
            folder / CONFIG,
            f"has model_type {found!r}, which this encoder does not know",
            f"Known: {', '.join(KINDS)}. Another network needs an encoder of its own, see CONTRIBUTING.md.",
        )
    return KINDS[found]


def _front_end(path: Path, kind: Kind) -> dict[str, Any]:
    """Options of the front end; a newer file keeps them below `feature_extractor`."""
    content = _json(path)
    inner = content.get("feature_extractor")
    options = inner if isinstance(inner, dict) else content
    found = options.get("feature_extractor_type", kind.front_end)
    if found != kind.front_end:
        raise FetchError(
            path,
            f"is of a {found}, but the network was trained behind a {kind.front_end}",
            "Check that all files are of one model.",
        )
    return options


def _json(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FetchError(path, f"is no JSON: {error}", "Fetch or copy it again.") from None
    if not isinstance(content, dict):
        raise FetchError(path, f"holds a {type(content).__name__}", "Fetch or copy it again.")
    return content


def _built(path: Path, cls: Any, options: dict[str, Any]) -> Any:
    """A configuration object of the library, which stumbles over wrong options in every way there is."""
    try:
        return cls.from_dict(options)
    except Exception as error:
        reason = f"{type(error).__name__}, {' '.join(str(error).split())}"
        raise FetchError(path, f"is no configuration of {cls.__name__}: {reason}", "Copy it again.") from None
