"""What lies beside weights: an index of parts, and configurations of networks."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import torch
from harness import Parser, change_json

from asdflow.checkpoints.models import model_files
from asdflow.encoders.eat import checkpoint as eat
from asdflow.encoders.huggingface._configuration import read_geometry
from asdflow.foundation.documents import parse_json
from tiny_encoders import EAT_CONFIG, eat_fairseq_content, eat_hugging_face
from tiny_huggingface import model_folder

PARTS = ("model-1.safetensors", "model-2.safetensors")
INDEX = {"metadata": {"total_size": 8}, "weight_map": {"a.weight": PARTS[0], "b.weight": PARTS[1]}}
JSON_WORDS = (
    b"[" * 100_000,
    b"null",
    b"1e999",
    b"-1",
    b'"',
    b"{}",
    b"0",
    b"9" * 5000,
    b"..",
    b"/",
    b"\\u0000",
)
SAFE_WORDS = (b"blocks.", b'"shape":[]', b"[0]", b"[64,1,16,16]", b"0", b"-1", b"[1,", b"head.weight")
TORCH_WORDS = (b"\x80\x02", b"K\x00", b"J\xff\xff\xff\xff", b"N", b"]", b"}", b"G\x7f\xf0" + bytes(6), b"X")


def index(path: Path) -> None:
    """Which files a model in parts consists of."""
    for name in ("config.json", "preprocessor_config.json", *PARTS):
        (path.parent / name).write_bytes(b"{}")
    model_files(path.parent)


def eat_files(folder: Path) -> list[bytes]:
    """Checkpoints of fairseq, pre-trained and fine-tuned, in torch's format without checksums."""
    found = []
    for tuned in (False, True):
        buffer = io.BytesIO()
        torch.save(eat_fairseq_content(tuned), buffer, _use_new_zipfile_serialization=False)
        found.append(buffer.getvalue())
    return found


def eat_hub_files(folder: Path) -> list[bytes]:
    """Safetensors without a configuration beside it: sizes are those of the tensors."""
    config = replace(EAT_CONFIG, width=64, heads=1)
    found = [eat_hugging_face(folder / f"{tuned}", tuned, config).read_bytes() for tuned in (False, True)]
    return found


def eat_configurations(folder: Path) -> list[bytes]:
    """Those beside a pre-trained and a fine-tuned model of the hub."""
    for tuned in (False, True):
        eat_hugging_face(folder / f"{tuned}", tuned)
    return [(folder / f"{tuned}" / "config.json").read_bytes() for tuned in (False, True)]


def geometry(path: Path) -> None:
    """Of the kind that the configuration names, behind a front end of its kind."""
    try:
        kind = str(parse_json(path.read_bytes())["model_type"])
    except (ValueError, KeyError, TypeError):
        kind = ""
    kinds = {"audio-spectrogram-transformer": "ast", "whisper": "whisper"}
    beside = model_folder(kinds.get(kind, "wav2vec2"))
    name = "preprocessor_config.json"
    (path.parent / name).write_bytes((beside / name).read_bytes())
    read_geometry(path.parent)


def configurations(_: Path) -> list[bytes]:
    return [(model_folder(kind) / "config.json").read_bytes() for kind in ("ast", "wav2vec2", "whisper")]


def front_ends(_: Path) -> list[bytes]:
    return [(model_folder(kind) / "preprocessor_config.json").read_bytes() for kind in ("ast", "whisper")]


def front_end(path: Path) -> None:
    """Beside a configuration of its network."""
    kind = "whisper" if b"Whisper" in path.read_bytes() else "ast"
    (path.parent / "config.json").write_bytes((model_folder(kind) / "config.json").read_bytes())
    read_geometry(path.parent)


def eat_configuration(path: Path) -> None:
    """What stands beside a safetensors file of the hub."""
    eat.configuration(path)


PARSERS = [
    Parser(
        "weights_index",
        "model.safetensors.index.json",
        lambda _: [json.dumps(INDEX).encode()],
        index,
        JSON_WORDS,
        change_json,
    ),
    Parser("eat", "eat.pt", eat_files, eat._read_fairseq, TORCH_WORDS),
    Parser("eat_hub", "eat.safetensors", eat_hub_files, eat.read, SAFE_WORDS),
    Parser(
        "eat_configuration", "config.json", eat_configurations, eat_configuration, JSON_WORDS, change_json
    ),
    Parser("hub_configuration", "config.json", configurations, geometry, JSON_WORDS, change_json),
    Parser("hub_front_end", "preprocessor_config.json", front_ends, front_end, JSON_WORDS, change_json),
]
