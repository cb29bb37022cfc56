"""A model of the Hugging Face hub at one commit, fetched once and checked against what the hub says of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asdflow import download
from asdflow.checkpoints.models import (
    CONFIG,
    FRONT_ENDS,
    SUMS,
    WEIGHTS,
    hub_folder,
    model_files,
    parts_of,
    sums,
    verify_model,
)
from asdflow.checkpoints.registry import hub_address
from asdflow.foundation.documents import parse_json
from asdflow.foundation.errors import FetchError


def fetch_model(model: str, revision: str, folder: str | Path | None = None) -> Path:
    """Folder of a hub model at a commit; fetched unless it is already there.

    Large files are checked by the SHA-256 and small ones by the git object id that the hub states for the
    commit, and `SHA256SUMS` is kept beside them, so that later uses need no network. The folder appears when
    it is complete; what an interrupted run received is continued.

    Parameters
    ----------
    model : str
        "owner/name".
    revision : str
        Commit, 40 hexadecimal digits: unlike a branch it cannot come to mean other files.
    folder : path, optional
        Of the checkpoints.

    Raises
    ------
    FetchError
        The hub cannot be reached, does not have the commit, or gives other bytes than it states; the message
        says how to use a folder of one's own instead.
    """
    target = hub_folder(model, revision, folder)
    if target.is_dir():
        return target
    partial = target.with_name(f".{revision}.part")
    try:
        with download.locked(target.with_name(f".{revision}.lock")):
            if not target.is_dir():
                _fill(partial, model, revision)
                (partial / SUMS).write_text(sums(partial), encoding="utf-8")
                partial.rename(target)
    except FetchError as error:
        raise FetchError(
            f"model {model!r}", f"{error.where}: {error.what}", by_hand(model, revision)
        ) from None
    return target


def resolve_model(
    model: str,
    revision: str | None = None,
    sha256: str | None = None,
    unverified: bool = False,
    folder: str | Path | None = None,
) -> Path:
    """Folder of a model whose files were checked: one's own, or with `revision` one of the hub (see above).

    Raises FetchError as `fetch_model` and `verify_model` do.
    """
    path = Path(model) if revision is None else fetch_model(model, revision, folder)
    verify_model(path, sha256, unverified, fetched=revision is not None)
    return path


def by_hand(model: str, revision: str) -> str:
    """How a person provides the model."""
    page = f"{hub_address()}/{model}/tree/{revision}"
    return (
        f"To provide it by hand, save {CONFIG}, {FRONT_ENDS[0]} and the weights ({WEIGHTS[0]} or "
        f"{WEIGHTS[2]}) of {page} in a folder, and give `model` that folder, without `revision`."
    )


def _fill(partial: Path, model: str, revision: str) -> None:
    """Fetch the files of a model into a folder."""
    known = _listing(model, revision)
    partial.mkdir(parents=True, exist_ok=True)
    front_end = next((name for name in FRONT_ENDS if name in known), FRONT_ENDS[0])
    weights = next((name for name in WEIGHTS if name in known), WEIGHTS[0])
    for name in (CONFIG, front_end, weights):
        _get(partial, name, known, model, revision)
    if weights.endswith(".json"):
        for name in parts_of(partial / weights):
            _get(partial, name, known, model, revision)
    wanted = {*model_files(partial)}
    for path in partial.iterdir():  # locks of the downloads
        if path.name not in wanted:
            path.unlink()


def _listing(model: str, revision: str) -> dict[str, tuple[str | None, int | None]]:
    """Checksum and size that the hub states of every file of a commit, by name; None for what it does not."""
    url = f"{hub_address()}/api/models/{model}/revision/{revision}?blobs=true"
    try:
        answer = parse_json(download.read([url], limit=1 << 26))
        files = {str(entry["rfilename"]): _stated(entry) for entry in answer["siblings"]}
        commit = answer["sha"]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise FetchError(url, f"answers something else than a list of files ({error})", "") from None
    if commit != revision:
        raise FetchError(url, f"answers for commit {commit}", "")
    return files


def _stated(entry: Mapping[str, Any]) -> tuple[str | None, int | None]:
    large, blob = entry.get("lfs"), entry.get("blobId")
    if large:
        return f"sha256:{large['sha256']}", int(large["size"])
    return (f"git:{blob}" if blob else None), None


def _get(
    partial: Path, name: str, known: Mapping[str, tuple[str | None, int | None]], model: str, revision: str
) -> None:
    url = f"{hub_address()}/{model}/resolve/{revision}/{name}"
    if name not in known:
        raise FetchError(url, "is not among the files of that commit", "")
    checksum, size = known[name]
    if checksum is None:
        raise FetchError(url, "cannot be verified: the hub states no git object id of it", "")
    download.fetch([url], partial / name, checksum=checksum, size=size)
