"""Sizes and checksums of a record's files: asked once of the Zenodo API, then pinned in a file.

`GET {base}/api/records/{record}` answers JSON with `files: [{key, size, checksum: "md5:..."}, ...]`. The
whole list is pinned in `{locks}/{record}.json`, whatever file was wanted, so that its bytes are the same for
everybody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from asdflow.datasets.dcase.registry import Archive
from asdflow.download import Policy, locked, read
from asdflow.download.checks import split_checksum
from asdflow.foundation.documents import parse_json
from asdflow.foundation.errors import AsdflowError, FetchError
from asdflow.foundation.files import whole_file


@dataclass(frozen=True)
class Pin:
    """What a file must be: bytes (None where unknown) and "md5:..."."""

    size: int | None
    checksum: str


def pin(archive: Archive, locks: str | Path, base_url: str, policy: Policy | None = None) -> Pin:
    """Size and checksum of an archive, from the registry, else from the lock, else from the API.

    No request is made for a file whose checksum the registry or the lock knows.

    Raises
    ------
    FetchError
        The record has no such file, the API does not answer, or registry and lock disagree (both values
        are named).
    """
    known = None if archive.md5 is None else f"md5:{archive.md5}"
    lock = lock_file(locks, archive.record)
    if known is not None and not lock.exists():
        return Pin(archive.size, known)
    files = pinned(archive.record, locks, base_url, policy)
    if archive.name not in files:
        raise FetchError(
            f"record {archive.record}",
            f"has no file {archive.name!r}; it has {', '.join(sorted(files)) or 'none'}",
            f"Correct the name in the registry, or delete {lock} if the record has changed.",
        )
    found = files[archive.name]
    for what, ours, theirs in (
        ("checksum", known, found.checksum),
        ("size", archive.size, found.size),
    ):
        if ours is not None and ours != theirs:
            raise FetchError(
                f"{archive.name} of record {archive.record}",
                f"the registry says {what} {ours}, {lock} says {theirs}",
                "Find out which is right, correct the registry or delete the lock, and run again.",
            )
    return found


def pinned(record: int, locks: str | Path, base_url: str, policy: Policy | None = None) -> dict[str, Pin]:
    """Every file of a record, from its lock; the first call asks the API and writes the lock."""
    lock = lock_file(locks, record)
    if not lock.exists():
        with locked(lock.with_name(f".{lock.name}.lock")):
            if not lock.exists():
                _write(lock, record, ask(record, base_url, policy))
    return _read(lock, record)


def ask(record: int, base_url: str, policy: Policy | None = None) -> dict[str, Pin]:
    """Every file of a record as the API lists it now. Raises FetchError for an answer of another form."""
    url = f"{base_url}/api/records/{record}"
    return parse_record(url, read([url], policy=policy))


def parse_record(url: str, body: bytes) -> dict[str, Pin]:
    """Every file of an answer of the API. Raises FetchError, naming the address, for one of another form."""
    try:
        files = parse_json(body)["files"]
        if not isinstance(files, list) or not files:
            raise ValueError("files is not a list of at least one")
        return {str(each["key"]): _checked(each["size"], each["checksum"]) for each in files}
    except (ValueError, LookupError, TypeError, AsdflowError) as error:
        raise FetchError(
            url,
            f"the answer is not a record's list of files ({type(error).__name__}: {error})",
            "Check the address, and that no proxy answers in its place.",
        ) from None


def compare(record: int, locks: str | Path, base_url: str, policy: Policy | None = None) -> None:
    """Raise FetchError naming both values when the API no longer says what the lock says."""
    ours, theirs = pinned(record, locks, base_url, policy), ask(record, base_url, policy)
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            raise FetchError(
                f"{name} of record {record}",
                f"{lock_file(locks, record)} says {_words(ours.get(name))}, "
                f"{base_url} says {_words(theirs.get(name))}",
                "The record has changed since it was pinned. Keep the lock to keep results comparable, "
                "or delete it to take the new files.",
            )


def lock_file(locks: str | Path, record: int) -> Path:
    """Where the files of a record are pinned."""
    return Path(locks) / f"{record}.json"


def _checked(size: object, checksum: object) -> Pin:
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(f"size {size!r}")
    split_checksum(str(checksum))
    return Pin(size, str(checksum).lower())


def _write(lock: Path, record: int, files: dict[str, Pin]) -> None:
    content = {
        "record": record,
        "files": {name: {"size": pin.size, "checksum": pin.checksum} for name, pin in files.items()},
    }
    with whole_file(lock) as partial:
        partial.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _read(lock: Path, record: int) -> dict[str, Pin]:
    try:
        content = parse_json(lock.read_text(encoding="utf-8"))
        if content["record"] != record:
            raise ValueError(f"is about record {content['record']}")
        return {name: _checked(each["size"], each["checksum"]) for name, each in content["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, AsdflowError) as error:
        raise FetchError(
            lock, f"is not a list of pinned files ({error})", "Restore it from version control, or delete it."
        ) from None


def _words(pin: Pin | None) -> str:
    return "no such file" if pin is None else f"{pin.size} bytes, {pin.checksum}"
