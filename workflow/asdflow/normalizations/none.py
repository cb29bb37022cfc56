"""No normalization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asdflow.normalizations import register
from asdflow.normalizations._base import Normalization


@register("none")
@dataclass(frozen=True)
class Nothing(Normalization):
    """Leaves the scores as they are: the row that the others are compared with."""

    def parts(self) -> Sequence[Normalization]:
        """Nothing."""
        return ()
