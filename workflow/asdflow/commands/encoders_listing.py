"""What `asdflow encoders` knows: encoders, their weights, and the state of each file."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asdflow import encoders
from asdflow.checkpoints.models import HUB, SUMS, verify_model
from asdflow.checkpoints.registry import Checkpoint, checkpoint, names
from asdflow.checkpoints.store import default_folder, hash_of
from asdflow.foundation.errors import FetchError

State = Literal["verified", "unverified", "wrong file", "absent", "by path", "by folder", "not needed"]

#: Every state that weights can be in, and what it means.
STATES: dict[State, str] = {
    "verified": "on disk, its bytes are those that were published",
    "unverified": "on disk, but no hash is published: needs `unverified: true`",
    "wrong file": "on disk, but its SHA-256 is not the published one",
    "absent": "not on disk",
    "by path": "a file of your own, given as `checkpoint`; none is registered",
    "by folder": "a folder of your own or a commit of the hub, given as `model`",
    "not needed": "the encoder has no weights",
}


@dataclass(frozen=True)
class Row:
    """One encoder with one of its weights."""

    encoder: str
    checkpoint: str  # empty where the encoder needs none, or takes it from the entry
    state: State
    path: Path | None = None  # where the file lies or has to be put
    bytes: int | None = None
    fetched: bool = False  # whether the workflow can fetch it; a person with a browser has to otherwise
    hashed: bool = False  # whether its hash is known


def describe(folder: str | Path | None = None) -> list[Row]:
    """A row for every registered checkpoint, every fetched model of the hub, and every other encoder.

    Sorted by encoder, then as in the registry. Files on disk are hashed: 0.4 s a gigabyte or so.
    """
    folder = default_folder() if folder is None else Path(folder)
    rows = [_registered(checkpoint(name), folder) for name in names()] + _hub_models(folder)
    served = {row.encoder for row in rows}
    rows += [Row(name, "", _need(name)) for name in encoders.REGISTRY.names() if name not in served]
    return sorted(rows, key=lambda row: row.encoder)  # stable: the order of the registry within


def summary(encoder: str) -> str:
    """First line of the docstring of an encoder's file."""
    module = sys.modules[encoders.REGISTRY.member(encoder).__module__]
    return (module.__doc__ or "").strip().partition("\n")[0].rstrip(".")


def _registered(entry: Checkpoint, folder: Path) -> Row:
    path = folder / entry.file
    fetched = len(entry.pages) < len(entry.sources)
    return Row(
        entry.encoder,
        entry.name,
        _state(path, entry),
        path,
        entry.bytes,
        fetched,
        entry.published is not None,
    )


def _state(path: Path, entry: Checkpoint) -> State:
    if not path.is_file():
        return "absent"
    if entry.published is None:
        return "unverified"
    kind, expected = entry.published
    return "verified" if hash_of(path, kind) == expected else "wrong file"


def _hub_models(folder: Path) -> list[Row]:
    """Models of the hub that were fetched: huggingface/{owner}/{name}/{commit}."""
    rows = []
    for kept in sorted((folder / HUB).glob(f"*/*/*/{SUMS}")):
        model = kept.parent
        try:
            verify_model(model, fetched=True)
            state: State = "verified"
        except FetchError:
            state = "wrong file"
        size = sum(path.stat().st_size for path in model.iterdir() if path != kept)
        name = "/".join(model.relative_to(folder / HUB).parts[:2])
        rows.append(Row("huggingface", name, state, model, size, fetched=True, hashed=True))
    return rows


def _need(encoder: str) -> State:
    """What an encoder without registered weights asks for."""
    fields = encoders.REGISTRY.member(encoder).__dataclass_fields__
    if "model" in fields:
        return "by folder"
    return "by path" if "checkpoint" in fields else "not needed"
