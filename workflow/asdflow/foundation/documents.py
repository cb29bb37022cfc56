"""JSON of other people: a value, or an error that every caller expects."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """What JSON text says. Raises ValueError for everything that is none, deep nesting included."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
