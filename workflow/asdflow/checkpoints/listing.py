"""What `asdflow encoders` lists: encoders, their checkpoints, and the state of each file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from asdflow import encoders
from asdflow.checkpoints.registry import checkpoint, names
from asdflow.checkpoints.store import default_folder, sha256_of

#: Every state that a checkpoint can be in, and what it means.
STATES = {
    "not needed": "the encoder has no weights",
    "by path": "the encoder reads a file of your own, given as `checkpoint`; none is registered",
    "verified": "on disk, size and SHA-256 as registered",
    "unverified": "on disk, but no hash is published; needs `unverified: true`",
    "wrong file": "on disk, but its SHA-256 is not the registered one",
    "absent": "not on disk",
}


@dataclass(frozen=True)
class Row:
    """One encoder with one of its checkpoints."""

    encoder: str
    checkpoint: str  # empty when the encoder needs none
    state: str  # a key of STATES
    path: Path | None  # where the file lies or has to be put
    bytes: int | None
    sha256: str | None
    licence: str
    title: str


def describe(folder: str | Path | None = None) -> list[Row]:
    """Rows for a listing: every registered checkpoint under its encoder, then encoders that need none.

    Files on disk are hashed, so a listing of several large files takes a second or two.
    """
    folder = default_folder() if folder is None else Path(folder)
    rows = []
    for name in names():
        entry = checkpoint(name)
        path = folder / entry.file
        state = _state(path, entry.sha256)
        rows.append(
            Row(entry.encoder, name, state, path, entry.bytes, entry.sha256, entry.licence, entry.title)
        )
    served = {row.encoder for row in rows}
    for name in encoders.REGISTRY.names():
        if name not in served:
            member = encoders.REGISTRY.member(name)
            title = (member.__doc__ or "").strip().partition("\n")[0].rstrip(".")
            state = "by path" if "checkpoint" in member.__dataclass_fields__ else "not needed"
            rows.append(Row(name, "", state, None, None, None, "", title))
    return sorted(rows, key=lambda row: (row.encoder, names().index(row.checkpoint) if row.checkpoint else 0))


def _state(path: Path, sha256: str | None) -> str:
    if not path.is_file():
        return "absent"
    if sha256 is None:
        return "unverified"
    return "verified" if sha256_of(path) == sha256 else "wrong file"


def listing_text(folder: str | Path | None = None) -> str:
    """The listing as text: one block an encoder, and how to provide what is absent."""
    rows = describe(folder)
    blocks = []
    for name in dict.fromkeys(row.encoder for row in rows):
        own = [row for row in rows if row.encoder == name]
        lines = [name if own[0].checkpoint else f"{name}: {own[0].title}. {_meaning(own[0].state)}"]
        for row in own:
            if row.checkpoint:
                lines.append(f"  {row.checkpoint}: {row.title} ({row.licence})")
                lines.append(f"    {_meaning(row.state)}: {row.path}")
                size = f"{row.bytes:,} bytes" if row.bytes else "size not published"
                lines.append(f"    {size}, SHA-256 {row.sha256 or 'not published'}")
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


def _meaning(state: str) -> str:
    return f"{state} ({STATES[state]})"
