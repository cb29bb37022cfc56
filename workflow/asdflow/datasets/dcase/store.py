"""A machine's clips in the store: from the user's own copy where there is one, else downloaded; unpacked.

{store}/zips/{record}/{name}                 what was downloaded, checked
{store}/dcase{year}/{part}/{machine}/        what was unpacked, or a link to the user's own folder
{store}/dcase{year}/{part}/{machine}.json    its manifest: archive, checksum, every file with its size
{store}/dcase{year}/labels/{list}            evaluation labels
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asdflow.datasets.dcase import own
from asdflow.datasets.dcase.registry import Archive, Registry
from asdflow.datasets.dcase.unpack import RECEIPT, unpack
from asdflow.datasets.dcase.zenodo import Pin, lock_file, pin
from asdflow.download import Policy, fetch, locked
from asdflow.foundation.documents import parse_json
from asdflow.foundation.errors import FetchError, OfflineError
from asdflow.foundation.files import whole_file


def machine_folder(store: str | Path, archive: Archive) -> Path:
    """Where a machine's clips of one part lie."""
    return Path(store) / f"dcase{archive.year}" / archive.part / archive.machine


def manifest_file(store: str | Path, archive: Archive) -> Path:
    """Where the manifest of `machine_folder` lies."""
    return machine_folder(store, archive).with_name(f"{archive.machine}.json")


def zip_file(store: str | Path, archive: Archive) -> Path:
    """Where the downloaded zip lies."""
    return Path(store) / "zips" / str(archive.record) / archive.name


def obtain(
    registry: Registry,
    archive: Archive,
    store: str | Path,
    data_dir: str | Path | None = None,
    keep_zip: bool = True,
    policy: Policy | None = None,
) -> Path:
    """Make sure that a machine's clips of one part are in the store; returns the manifest.

    Nothing is done twice: a folder whose receipt and file sizes agree is kept, a zip that is there and whole
    is not downloaded, a part of a zip is continued.

    Parameters
    ----------
    registry : Registry
    archive : Archive
        From `registry.archive(year, part, machine)`.
    store : path
        Folder of all downloads.
    data_dir : path, optional
        The user's own zips or unpacked folders. A zip is checked like a download and unpacked from where it
        lies; a folder is checked and linked. What it lacks is downloaded, and said.
    keep_zip : bool
        False removes a downloaded zip once it is unpacked; never one of the user.
    policy : Policy, optional
        Retries and connections.

    Raises
    ------
    FetchError, DataError
        See `zenodo.pin`, `download.fetch`, `unpack.unpack` and `own`. No folder or manifest appears then.
    """
    store, policy = Path(store), policy or Policy.from_environment()
    folder, manifest = machine_folder(store, archive), manifest_file(store, archive)
    with locked(folder.with_name(f".{archive.machine}.lock")):
        found = own.find(data_dir, archive) if data_dir else own.NOTHING
        if found.folder is not None:
            own.require_published_audio(found.folder, archive, registry.year(archive.year).audio)
            _link(found.folder, folder)
            _write(manifest, _content(archive, None, own.sizes(found.folder)))
            return manifest
        pinned = _pinned(registry, archive, bool(found.zips) or zip_file(store, archive).exists(), policy)
        content = _unpacked(folder, archive, pinned)
        if content is None:
            own_zip = own.checked_zip(found.zips, archive, pinned)
            if data_dir and own_zip is None:
                _say(
                    archive, f"{data_dir} has neither {archive.name} nor an unpacked folder; it is downloaded"
                )
            content = _unpack(own_zip, store, folder, archive, pinned, keep_zip, policy)
        _write(manifest, content)
    return manifest


def sources(
    registry: Registry, archive: Archive, store: str | Path, data_dir: str | Path | None = None
) -> list[tuple[str, ...]]:
    """Addresses that `obtain` would ask, in groups of which one must answer; none where a copy is there."""
    found = own.find(data_dir, archive) if data_dir else own.NOTHING
    receipt = machine_folder(store, archive) / RECEIPT
    if found.folder is not None or found.zips or zip_file(store, archive).exists() or receipt.exists():
        return []
    known = archive.md5 is not None or lock_file(registry.locks, archive.record).exists()
    return [archive.urls] if known else [archive.urls, (registry.base_url,)]


def _pinned(registry: Registry, archive: Archive, here: bool, policy: Policy) -> Pin | None:
    """What the archive must be; None, and a line, where nothing says so and a copy is here all the same."""
    try:
        return pin(archive, registry.locks, registry.base_url, policy)
    except OfflineError as error:
        if here:
            _say(archive, f"{error.what}; only the checksums inside the zip are compared")
            return None
        raise error.told(f"{archive.name} of DCASE {archive.year}", _own_copy(archive)) from None


def _own_copy(archive: Archive) -> str:
    return (
        "Connect and run the same command again, or name a folder that holds it, or the unpacked folder "
        f"{archive.machine}, as `data_dir` in the data set's entry."
    )


def _unpack(
    own_zip: Path | None,
    store: Path,
    folder: Path,
    archive: Archive,
    pinned: Pin | None,
    keep_zip: bool,
    policy: Policy,
) -> dict[str, Any]:
    try:
        source = own_zip or fetch(
            archive.urls,
            zip_file(store, archive),
            checksum=pinned.checksum if pinned else None,
            size=pinned.size if pinned else archive.size,
            policy=policy,
            slots=store / "zips" / ".connections",
        )
    except OfflineError as error:
        raise error.told(f"{archive.name} of DCASE {archive.year}", _own_copy(archive)) from None
    _say(archive, f"unpacking {source}")
    sizes = unpack(
        source,
        folder,
        archive.machine,
        archive.limits,
        receipt=lambda sizes: _text(_content(archive, pinned, sizes)),
    )
    if own_zip is None and not keep_zip:
        source.unlink()
    return _content(archive, pinned, sizes)


def _unpacked(folder: Path, archive: Archive, pinned: Pin | None) -> dict[str, Any] | None:
    """Content of the folder's receipt when the folder is whole; None, and no folder, when to unpack."""
    if folder.is_symlink():  # of an earlier configuration with data_dir
        folder.unlink()
    if not folder.exists():
        return None
    try:
        content = parse_json((folder / RECEIPT).read_text(encoding="utf-8"))
        expected = _content(archive, pinned, content["files"])
        if pinned is None:  # nothing says otherwise today
            expected["checksum"] = content["checksum"]
        whole = content == expected and all(
            (folder / name).stat().st_size == size for name, size in content["files"].items()
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        if Path(str(error.filename)).name == RECEIPT:
            raise FetchError(
                folder,
                "was not unpacked by this workflow",
                "Move it away, or name the folder that holds your copy by data_dir.",
            ) from None
        whole = False
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if whole:
        return content
    _say(archive, f"{folder} is not what {archive.name} holds; it is unpacked anew")
    shutil.rmtree(folder)
    return None


def _link(target: Path, folder: Path) -> None:
    """Make `folder` a link to the user's folder; replaces an older link, never a folder with clips."""
    target = target.resolve()
    if folder.is_symlink():
        if folder.resolve() == target:
            return
    elif folder.exists():
        if not (folder / RECEIPT).exists():
            raise FetchError(folder, "was not unpacked by this workflow", "Move it away and run again.")
        shutil.rmtree(folder)
    partial = folder.with_name(f".{folder.name}.link")
    partial.unlink(missing_ok=True)
    partial.symlink_to(target, target_is_directory=True)
    os.replace(partial, folder)


def _content(archive: Archive, pinned: Pin | None, sizes: Mapping[str, int]) -> dict[str, Any]:
    return {
        "archive": archive.name,
        "record": archive.record,
        "checksum": pinned.checksum if pinned else None,
        "files": dict(sizes),
    }


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def _write(manifest: Path, content: Mapping[str, Any]) -> None:
    with whole_file(manifest) as partial:
        partial.write_text(_text(content), encoding="utf-8")


def _say(archive: Archive, text: str) -> None:
    print(f"{archive.name}: {text}", file=sys.stderr, flush=True)
