"""One file from the first source that has it: continued where it broke off, checked, moved into place."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asdflow.download.answers import (
    Interrupted,
    Refused,
    Unreachable,
    get,
    pieces,
    session,
    start_of,
    status,
    total_of,
    transport_errors,
    words,
)
from asdflow.download.checks import full_disk, room, split_checksum, verify
from asdflow.download.locking import locked, slot
from asdflow.download.policy import AGAIN, Policy
from asdflow.download.progress import Progress
from asdflow.foundation.errors import FetchError, NoSourceError, OfflineError


def fetch(
    urls: Sequence[str],
    target: str | Path,
    *,
    checksum: str | None,
    size: int | None = None,
    policy: Policy | None = None,
    slots: str | Path | None = None,
    quiet: bool = False,
) -> Path:
    """Make sure that `target` is the file with this checksum; fetch it from the first source that has it.

    A file that is already there is checked and kept, whatever the dates of servers say. What an earlier run
    received lies beside it as `.{name}.part` and is continued.

    Parameters
    ----------
    urls : sequence of str
        Sources, tried in order; all must give the same bytes.
    target : path
        Final name.
    checksum : str or None
        "md5:...", "sha256:..." or "git:..." (object id of a blob). None where nobody has published any: what
        an earlier run or another source left is then not continued.
    size : int, optional
        Bytes, where known beforehand.
    policy : Policy, optional
        Retries, waits and connections; default from the environment.
    slots : path, optional
        Folder of locks that bounds the number of connections over all processes. None: no bound.
    quiet : bool
        Show no progress.

    Raises
    ------
    NoSourceError
        No source gave the file; every source's reason is named. OfflineError where no host of them can be
        found, without trying again.
    FetchError
        Another file lies under its name, or the disk is too small. What was received remains, unless it was
        wrong; nothing is under the final name.
    """
    target, policy = Path(target), policy or Policy.from_environment()
    if checksum is not None:
        split_checksum(checksum)
    partial, reasons, hosts = target.with_name(f".{target.name}.part"), [], []
    with full_disk(target), locked(target.with_name(f".{target.name}.lock")):
        if target.exists():
            fault = verify(target, checksum, size)
            if fault is None:
                return target
            remedy = "It is not the published file. Move it away and run again to fetch that."
            raise FetchError(target, fault, remedy)
        with slot(slots, policy.connections) as place:
            for url in urls:
                try:
                    # A line of the terminal below the cursor, which stays free for what others print.
                    attempts = _Attempts(policy, url, target.name, place + 1 if slots else 0, quiet)
                    _receive(url, partial, checksum, size, attempts)
                except Refused as reason:
                    reasons.append(f"{url}: {reason}")
                    hosts += [reason.host] if isinstance(reason, Unreachable) else []
                    continue
                os.replace(partial, target)
                return target
    remedy = (
        f"Run the same command again later (it continues where it broke off), or save the file as {target}."
    )
    if len(hosts) == len(urls):
        raise _offline(target, hosts, remedy)
    error = NoSourceError(target, f"no source gave the file. {'; '.join(reasons)}", remedy)
    error.reasons = tuple(reasons)
    raise error


def read(urls: Sequence[str], *, policy: Policy | None = None, limit: int = 1 << 24) -> bytes:
    """Body of a small answer, e.g. of an API, from the first source that gives one.

    Raises FetchError when none does, or when the answer is larger than `limit` bytes, and
    OfflineError as `fetch`.
    """
    policy, reasons, hosts = policy or Policy.from_environment(), [], []
    remedy = "Check the connection and run the same command again later."
    for url in urls:
        try:
            return _small(url, policy, limit)
        except Refused as reason:
            reasons.append(f"{url}: {reason}")
            hosts += [reason.host] if isinstance(reason, Unreachable) else []
    if len(hosts) == len(urls):
        raise _offline(urls[0], hosts, remedy)
    raise FetchError(urls[0], f"no answer. {'; '.join(reasons)}", remedy)


def _offline(where: object, hosts: Sequence[str], remedy: str) -> OfflineError:
    named = ", ".join(dict.fromkeys(hosts))
    error = OfflineError(where, f"{named} cannot be reached: no network, or no such name", remedy)
    error.reasons, error.hosts = tuple(f"{host} cannot be reached" for host in hosts), tuple(hosts)
    return error


def _receive(url: str, partial: Path, checksum: str | None, size: int | None, attempts: _Attempts) -> None:
    """Complete `partial` from one source and check it. Raises Refused, or FetchError for a small disk."""
    if checksum is None:
        partial.unlink(missing_ok=True)
    fresh = not partial.exists()  # bytes of an earlier run may be of another file: worth one fresh start
    with session() as connection:
        while True:
            have = _length(partial)
            if size is not None and have > size:
                partial.unlink()
            elif (size is not None and have == size) or _append(connection, url, partial, size, attempts):
                fault = verify(partial, checksum, size)
                if fault is None:
                    _flush(partial)
                    return
                partial.unlink()
                if fresh:
                    raise Refused(f"the file {fault}")
                attempts.say(f"the continued file {fault}; it is fetched anew")
                fresh = True


def _append(connection: Any, url: str, partial: Path, size: int | None, attempts: _Attempts) -> bool:
    """Ask for what is missing and append it. True at the end of the body, False when to try again."""
    have = _length(partial)
    total = size
    try:
        with get(connection, url, {"Range": f"bytes={have}-"} if have else {}, attempts.policy) as response:
            if response.status_code == 416:  # nothing after `have`: complete, or a part of something else
                if size is None and total_of(response) == have:
                    return True
                partial.unlink(missing_ok=True)
                attempts.again(status(response))
                return False
            if not _has_body(response, attempts):
                return False
            if response.headers.get("Content-Type", "").partition(";")[0].strip() == "text/html":
                raise Refused("answers with a web page instead of the file")
            if response.status_code == 206 and start_of(response) != have:
                raise Refused(f"answers bytes from {start_of(response)} when asked for bytes from {have}")
            if response.status_code == 200:
                have = 0  # the server knows no ranges
            announced = total_of(response)
            if size is not None and announced is not None and announced != size:
                raise Refused(f"announces {announced} bytes, expected {size}")
            total = size or announced
            if total is not None:
                room(partial, total - have)
            progress = Progress(attempts.name, total, have, attempts.stream, row=attempts.row)
            with open(partial, "ab" if have else "wb") as file, progress:
                for piece in pieces(response):
                    file.write(piece)
                    progress.advance(len(piece))
        if total is not None and _length(partial) < total:
            raise Interrupted
    except Unreachable as error:
        if not attempts.furthest:
            raise
        attempts.again(str(error))  # it was there a moment ago, and gave a part of the file
        return False
    except (Interrupted, *transport_errors()) as error:
        attempts.reached(_length(partial), total)
        attempts.again(words(error, attempts.policy))
        return False
    return True


def _small(url: str, policy: Policy, limit: int) -> bytes:
    attempts = _Attempts(policy, url, url)
    with session() as connection:
        while True:
            try:
                with get(connection, url, {}, policy) as response:
                    if not _has_body(response, attempts):
                        continue
                    body = bytearray()
                    for piece in pieces(response):
                        body += piece
                        if len(body) > limit:
                            raise Refused(f"answers more than {limit} bytes")
                    return bytes(body)
            except transport_errors() as error:
                attempts.again(words(error, policy))


class _Attempts:
    """Retry budget of one source: waits before the next attempt, or raises Refused when it is spent.

    `name` and `row` say what progress is called, and where in a terminal it is drawn; `quiet` that it is not.
    """

    def __init__(self, policy: Policy, url: str, name: str, row: int = 0, quiet: bool = False) -> None:
        self.policy, self.url, self.name, self.row = policy, url, name, row
        self.stream = io.StringIO() if quiet else sys.stderr
        self.retry, self.furthest = policy.retry(), 0

    def reached(self, length: int, total: int | None) -> None:
        """Start the count anew when `length` is one per cent of `total` beyond any earlier attempt."""
        if length > self.furthest and (length - self.furthest) * 100 >= (total or 1):
            self.retry, self.furthest = self.policy.retry(), length

    def again(self, why: str, response: Any = None) -> None:
        """Wait as the back-off or the server's `Retry-After` says."""
        from urllib3.exceptions import InvalidHeader, MaxRetryError, ProtocolError

        raw = None if response is None else response.raw
        try:
            if raw is None:
                self.retry = self.retry.increment("GET", self.url, error=ProtocolError(why))
            else:
                self.retry = self.retry.increment("GET", self.url, response=raw)
        except MaxRetryError:
            raise Refused(f"{why}; attempts without progress: {self.policy.retries + 1}") from None
        self.say(f"{why}; trying again")
        try:
            self.retry.sleep(raw)
        except InvalidHeader:  # a Retry-After that is neither a number nor a date
            self.retry.sleep()

    def say(self, text: str) -> None:
        """A line about the transfer."""
        print(f"{self.name}: {text}", file=self.stream, flush=True)


def _has_body(response: Any, attempts: _Attempts) -> bool:
    """True when the body follows; False after waiting for a better answer; raises Refused for a final one."""
    if response.status_code in AGAIN:
        attempts.again(status(response), response)
        return False
    if response.status_code not in (200, 206):
        raise Refused(status(response))
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Refused(f"compresses the body ({response.headers['Content-Encoding']}) though asked not to")
    return True


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _flush(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())  # a crash of the machine must not leave the name without the bytes
