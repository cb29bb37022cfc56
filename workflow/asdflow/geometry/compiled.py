"""Loops that are compiled to machine code, where numpy would pass over the same numbers many times.

Importing numba and loading what it has compiled takes half a second, so that the first steps of a process
are done by array operations, where a loop has them beside it, or are interpreted: a job of usual size ends
sooner, and whoever only reads a configuration does not wait at all. The bits are the same either way. No
arithmetic is reordered or fused.

Compiled code is kept beside the module (or, where that cannot be written to, in the user's cache folder), so
that the next process need not compile it again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import numpy as np

#: Steps that are interpreted in a process, as long as they take less than numba needs to be there.
FEW = 400_000
#: Steps of array operations in the time of an interpreted one.
ARRAY = 100

_taken = 0


def compiled(
    steps: Callable[..., int] | None = None, arrays: Callable | None = None
) -> Callable[[Callable], Callable]:
    """Decorator of a function of arrays and numbers, which may not call another one.

    Parameters
    ----------
    steps : callable, optional
        How often the innermost loop is run, at the same arguments. Without it the function is compiled at its
        first call: one that takes a logarithm or an exponential must be, as numpy's may differ in the last
        bit.
    arrays : callable, optional
        Does the same by array operations, bit for bit.
    """

    def decorate(function: Callable) -> Callable:
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
            global _taken
            if steps is not None and _taken <= FEW:
                _taken += steps(*arguments) if arrays is None else steps(*arguments) // ARRAY
                if _taken <= FEW:
                    with np.errstate(all="ignore"):
                        return (arrays or function)(*arguments)
            return machine_code()(*arguments)

        return call

    return decorate
