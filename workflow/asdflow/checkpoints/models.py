"""Folders of a model: its configuration, front end and weights; one's own, or a commit of the hub."""

from __future__ import annotations

import hashlib
from pathlib import Path

from asdflow.checkpoints.store import default_folder, sha256_of
from asdflow.foundation.documents import parse_json
from asdflow.foundation.errors import FetchError

CONFIG = "config.json"
#: The front end stands in one of these; the second is the newer layout.
FRONT_ENDS = ("preprocessor_config.json", "processor_config.json")
#: The first that exists is read. An index names the parts of weights that are split over files.
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
HUB = "huggingface"  # folder of fetched models, below the folder of checkpoints
SUMS = "SHA256SUMS"


def hub_folder(model: str, revision: str, folder: str | Path | None = None) -> Path:
    """Where a commit of a hub model lies: huggingface/{owner}/{name}/{revision} among the checkpoints."""
    return (default_folder() if folder is None else Path(folder)) / HUB / model / revision


def weights_files(folder: Path) -> list[str]:
    """Names of the files of weights in a folder, in the order in which they are read.

    Raises FetchError when there are none, or when an index cannot be read or leaves the folder.
    """
    name = next((name for name in WEIGHTS if (folder / name).is_file()), None)
    if name is None:
        raise FetchError(folder, "holds no weights", f"Put one of {', '.join(WEIGHTS)} there.")
    return [name, *parts_of(folder / name)] if name.endswith(".json") else [name]


def parts_of(index: Path) -> list[str]:
    """Names of the files that an index of split weights asks for, sorted. Raises FetchError."""
    try:
        parts = sorted(set(parse_json(index.read_text(encoding="utf-8"))["weight_map"].values()))
        if any(Path(part).name != part for part in parts):
            raise ValueError("it names files of another folder")
        if any(len(part.encode()) > 255 for part in parts):
            raise ValueError("it names files that no disk can hold")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FetchError(index, f"is no index of weights: {error}", "Fetch or copy it again.") from None
    return parts


def model_files(folder: str | Path) -> list[str]:
    """Names of every file of a model that is read, sorted.

    Raises FetchError when the folder, its configuration, its front end, or a part of its weights is missing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FetchError(
            folder,
            "is not a folder",
            "Give `model` the folder of a model; for a name on the hub, give the commit as `revision` too.",
        )
    front_ends = [name for name in FRONT_ENDS if (folder / name).is_file()][:1] or list(FRONT_ENDS[:1])
    names = [CONFIG, *front_ends, *weights_files(folder)]
    for name in names:
        if not (folder / name).is_file():
            raise FetchError(folder / name, "is missing", "Copy it from where the model came from.")
    return sorted(names)


def sums(folder: str | Path) -> str:
    """A line for each file of a model as `sha256sum` prints it: hash, two spaces, name."""
    return "".join(f"{sha256_of(Path(folder) / name)}  {name}\n" for name in model_files(folder))


def fingerprint(folder: str | Path) -> str:
    """SHA-256 of `sums`: one number for everything that a model is made of."""
    return hashlib.sha256(sums(folder).encode()).hexdigest()


def verify_model(
    folder: str | Path, sha256: str | None = None, unverified: bool = False, fetched: bool = False
) -> None:
    """Check a model's files before any of them is opened.

    Parameters
    ----------
    folder : path
    sha256 : str, optional
        The fingerprint that it must have.
    unverified : bool
        Accept a folder although nothing vouches for it. It excuses nothing else.
    fetched : bool
        The folder came from the hub: `SHA256SUMS` vouches for it.

    Raises
    ------
    FetchError
        A file is missing; the fingerprint is another one; the files are no longer those that were fetched; or
        nothing vouches for them.
    """
    folder = Path(folder)
    listed = sums(folder)
    found = hashlib.sha256(listed.encode()).hexdigest()
    kept = folder / SUMS
    if sha256 is not None:
        if found != sha256:
            raise FetchError(
                folder,
                f"is not the model it should be: its files have fingerprint {found}, expected {sha256}",
                "Copy the model again, or correct `sha256`.",
            )
    elif fetched and kept.is_file():
        if kept.read_text(encoding="utf-8") != listed:
            raise FetchError(
                folder, f"holds other files than were fetched, see {SUMS}", "Remove it to fetch it again."
            )
    elif not unverified:
        raise FetchError(
            folder,
            f"has fingerprint {found}, which nothing vouches for",
            f"Write `sha256: {found}` into the encoder's entry once you trust these files, or "
            "`unverified: true`; every product then says so.",
        )
