"""Objects that are pickled without what they can compute again."""

from __future__ import annotations

from functools import cached_property
from typing import Any


class Lean:
    """Pickled by its attributes, less the cached properties: these are computed again when asked for."""

    def __getstate__(self) -> dict[str, Any]:
        """The attributes that are kept."""
        return {name: value for name, value in self.__dict__.items() if not self._is_cached(name)}

    @classmethod
    def _is_cached(cls, name: str) -> bool:
        return isinstance(getattr(cls, name, None), cached_property)
