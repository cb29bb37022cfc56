"""Which hosts can be found at all: asked before a run, so that it does not wait for each of its files."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

WITHIN_S = 10.0  # a resolver that is cut off answers after five seconds or more, several times over


def unreachable(urls: Iterable[str], within_s: float = WITHIN_S) -> dict[str, str]:
    """Address to the host whose name cannot be resolved, for those addresses whose host is such a one.

    Behind a proxy the proxy's name counts. All are asked at once; one that has no answer within `within_s`
    seconds counts as not resolved.
    """
    hosts = {url: _asked(url) for url in urls}
    found: set[str] = set()
    threads = [
        threading.Thread(target=_resolve, args=(host, found), daemon=True) for host in set(hosts.values())
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + within_s
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return {url: host for url, host in hosts.items() if host not in set(found)}


def _asked(url: str) -> str:
    """The host that is asked for an address: that of its proxy, if there is one."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(url, get_environ_proxies(url))
    if proxy:
        proxy = proxy if "//" in proxy else f"http://{proxy}"
    return urlsplit(proxy or url).hostname or url


def _resolve(host: str, found: set[str]) -> None:
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return
    found.add(host)
