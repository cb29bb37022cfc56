"""One request and what its answer says: status, range, length, and errors in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from asdflow.download.policy import Policy

PIECE = 1 << 18
AGENT = "asdflow (research software)"
NO_ROUTE = re.compile(r"\[Errno (?:101|113)\]")  # the network, the host is unreachable
NO_NAME = re.compile(r"Failed to resolve '([^']+)'")  # that of a proxy, too


class Refused(Exception):
    """A source cannot give the file; the message says why, without naming the source."""


class Interrupted(Exception):
    """The body ended before the length that was announced, though the connection did not say so."""


class Unreachable(Refused):
    """The host's name cannot be resolved, or no route leads to it: no passing fault, so not tried again."""

    def __init__(self, host: str, why: str) -> None:
        self.host = host
        super().__init__(why)


@contextmanager
def session() -> Iterator[Any]:
    """A session that asks for bodies as they are."""
    import requests

    with requests.Session() as session:
        # The bytes of the file itself: a compressed body could not be continued by range.
        session.headers.update({"User-Agent": AGENT, "Accept-Encoding": "identity"})
        yield session


@contextmanager
def get(session: Any, url: str, headers: Mapping[str, str], policy: Policy) -> Iterator[Any]:
    """The answer to a GET.

    Raises Refused for what stays: a bad address, certificate, redirect loop; Unreachable for a host that
    cannot be found.
    """
    from requests import exceptions

    try:
        response = session.get(url, headers=headers, stream=True, timeout=policy.timeout_s)
    except exceptions.SSLError as error:
        raise Refused(f"the certificate is not trusted ({error})") from None
    except (ValueError, exceptions.TooManyRedirects) as error:  # addresses that cannot be are ValueErrors
        raise Refused(str(error)) from None
    except exceptions.ConnectionError as error:
        if unknown := NO_NAME.search(str(error)):
            raise Unreachable(unknown[1], f"the name {unknown[1]} cannot be resolved") from None
        if NO_ROUTE.search(str(error)):
            raise Unreachable(urlsplit(url).hostname or url, "no network leads there") from None
        raise
    with response:
        yield response


def pieces(response: Any) -> Iterator[bytes]:
    """The body as it arrives. What came before a broken connection is delivered, unlike by `iter_content`."""
    while piece := response.raw.read1(PIECE):
        yield piece


def transport_errors() -> tuple[type[Exception], ...]:
    """What a connection that fails raises."""
    from requests import exceptions
    from urllib3.exceptions import ProtocolError, ReadTimeoutError, SSLError

    return exceptions.ConnectionError, exceptions.Timeout, ProtocolError, ReadTimeoutError, SSLError


def status(response: Any) -> str:
    """The answer's number and reason."""
    return f"HTTP {response.status_code} {response.reason or ''}".strip()


def total_of(response: Any) -> int | None:
    """Length of the whole file as the server announces it."""
    text = response.headers.get("Content-Range", "")
    if match := re.fullmatch(r"bytes (?:\d+-\d+|\*)/(\d+)", text.strip()):
        return int(match[1])
    length = response.headers.get("Content-Length", "")
    return int(length) if response.status_code == 200 and length.isdigit() else None


def start_of(response: Any) -> int | None:
    """First byte of a partial answer."""
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def words(error: Exception, policy: Policy) -> str:
    """A transport error in a few words."""
    text = str(error)
    system = re.search(r"\[Errno -?\d+\] ([^'\")]+)|\(\d+, '([^']+)'\)", text)
    if "timed out" in text or "timeout" in text.lower():
        return f"no answer within {policy.timeout_s:g} s"
    if system:
        return f"the connection failed ({(system[1] or system[2]).strip()})"
    if isinstance(error, Interrupted) or "IncompleteRead" in text:
        return "the body ended early"
    return f"the connection failed ({type(error).__name__})"
