"""What is computed once and kept: for how long, and that a pickle leaves it out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

Value = TypeVar("Value")


def kept(function: Callable[[Any], Value]) -> Callable[[Any], Value]:
    """Decorator of a function of one object: computed once, and kept as long as the object lives.

    What it returns must not refer to the object, which would then never end.
    """
    known: WeakKeyDictionary[Any, Value] = WeakKeyDictionary()

    @wraps(function)
    def call(of: Any) -> Value:
        if of not in known:
            known[of] = function(of)
        return known[of]

    return call


class Lean:
    """Pickled by its attributes, less the cached properties: these are computed again when asked for."""

    def __getstate__(self) -> dict[str, Any]:
        """The attributes that are kept."""
        return {name: value for name, value in self.__dict__.items() if not self._is_cached(name)}

    @classmethod
    def _is_cached(cls, name: str) -> bool:
        return isinstance(getattr(cls, name, None), cached_property)
