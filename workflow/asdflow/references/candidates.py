"""What every kind of reference has that a neighbour backend asks: the nearest of each domain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from asdflow.foundation.memory import Lean
from asdflow.references.bank import Bank, Embedded

#: Domain of all references where the bank has none.
ANY = -1

#: (bands, clips, k) nearest distances in ascending order, by domain; infinite where there are fewer.
ByDomain = Mapping[int, np.ndarray]


class Candidates(Lean, ABC):
    """References among which the nearest are looked for.

    Attributes
    ----------
    bank : Bank
    """

    bank: Bank

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of references R."""

    @property
    @abstractmethod
    def domain(self) -> np.ndarray | None:
        """(R,) 0 source, 1 target; or None."""

    @abstractmethod
    def search(self, clips: Embedded, k: int) -> dict[int, np.ndarray]:
        """As `nearest`, found anew."""

    def nearest(self, clips: Embedded, k: int) -> ByDomain:
        """The k smallest distances to the references of each domain; the bank's own clips are each left out.

        They are kept as long as these clips and references live.
        """
        found = self._nearest.get(clips)
        if found is None or min(part.shape[-1] for part in found.values()) < k:
            found = self._nearest[clips] = self.search(clips, k)
        return {domain: values[..., :k] for domain, values in found.items()}

    @cached_property
    def _nearest(self) -> WeakKeyDictionary[Embedded, dict[int, np.ndarray]]:
        return WeakKeyDictionary()
