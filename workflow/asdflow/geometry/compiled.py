"""Loops that are compiled to machine code, where numpy would pass over the same numbers many times."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any


def compiled(function: Callable) -> Callable:
    """Decorator of a function of arrays and numbers, which may not call another one of ours.

    numba is imported and the function compiled at its first call: whoever does not need it does not wait for
    it. Compiled code is kept beside the module, or in the user's cache folder, for the next process; where
    neither can be written to, it is compiled for this process. No arithmetic is reordered or fused.
    """

    @cache
    def machine_code() -> Callable:
        from numba import njit

        options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # there is no folder that it may be kept in
            return njit(**options)(function)

    @wraps(function)
    def call(*arguments: Any) -> Any:
        return machine_code()(*arguments)

    return call
