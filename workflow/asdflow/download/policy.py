"""How patient a download is, and how many run at once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from asdflow.foundation.errors import ConfigError

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may differ a little later. Any other error (401, 403, 404, 410) is final for its source."""


@dataclass(frozen=True)
class Policy:
    """Limits of every transfer. Each can be set by an environment variable, see `from_environment`.

    Parameters
    ----------
    retries : int
        Attempts after the first, without progress in between. An attempt that brought at least one per cent
        of the file starts the count anew: a long file on a weak line is finished by many short pieces.
    backoff_s : float
        Waits are 0, 2, 4, 8, ... times this, plus up to this much at random, seconds.
    backoff_max_s, retry_after_max_s : float, int
        Longest wait of our own choice, and longest wait that a server may ask for, seconds.
    timeout_s : float
        Longest silence: while connecting, and between two pieces of the body, seconds.
    connections : int
        Transfers at once, counted over all processes that share a folder of slots.
    """

    retries: int = 5
    backoff_s: float = 1.0
    backoff_max_s: float = 120.0
    retry_after_max_s: int = 3600
    timeout_s: float = 60.0
    connections: int = 3

    @classmethod
    def from_environment(cls) -> Policy:
        """Defaults, overridden by ASDFLOW_RETRIES, _BACKOFF, _TIMEOUT and _CONNECTIONS."""
        return cls(
            retries=int(_number("ASDFLOW_RETRIES", cls.retries, 0)),
            backoff_s=_number("ASDFLOW_BACKOFF", cls.backoff_s, 0),
            timeout_s=_number("ASDFLOW_TIMEOUT", cls.timeout_s, 0.1),
            connections=int(_number("ASDFLOW_CONNECTIONS", cls.connections, 1)),
        )

    def retry(self) -> Any:
        """A fresh `urllib3.Retry`."""
        from urllib3 import Retry

        return Retry(
            total=self.retries,
            backoff_factor=self.backoff_s,
            backoff_max=self.backoff_max_s,
            backoff_jitter=self.backoff_s,
            retry_after_max=self.retry_after_max_s,
            status_forcelist=AGAIN,
        )


def _number(variable: str, default: float, low: float) -> float:
    text = os.environ.get(variable, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not value >= low:
        raise ConfigError(f"environment variable {variable}", f"is {text!r}", f"Set a number >= {low:g}.")
    return value
