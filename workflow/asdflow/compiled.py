"""Loops that are compiled to machine code, where numpy would pass over the same numbers many times.

The code is kept beside the module (or, where that cannot be written to, in the user's cache folder), so that
the next process need not compile it again. No arithmetic is reordered or fused: the bits are those of the
formula, on every processor.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any


def compiled(function: Callable) -> Callable:
    """Compile a function of arrays and numbers at its first call; it may not call another one.

    Numba is imported then as well: whoever only reads a configuration does not wait for it.
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
