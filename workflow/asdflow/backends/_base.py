"""What every backend shares: its protocol, and what it says about the normalizations that it cannot take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import ClassVar
from weakref import WeakKeyDictionary

import numpy as np

from asdflow.foundation.errors import ConfigError
from asdflow.foundation.memory import Lean
from asdflow.geometry.space import Space
from asdflow.references.bank import Queries
from asdflow.references.references import References


class Fitted(Lean, ABC):
    """A backend that has seen its bank. Larger scores are more anomalous.

    It can be pickled, and then keeps its fields and leaves its cached properties out.
    """

    @abstractmethod
    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) float64 scores."""

    @abstractmethod
    def self_scores(self) -> np.ndarray:
        """(N,) float64: each clip of the bank scored as if it had not been in the bank.

        Of a backend, the clip alone; `ByRecording` leaves out what else was cut from its recording.
        """

    def domain_scores(self, queries: Queries) -> np.ndarray:
        """(2, M) float64 scores against the source clips and against the target clips alone."""
        raise NotImplementedError(f"{type(self).__name__} has no scores by domain")

    def domain_self_scores(self) -> np.ndarray:
        """(2, N) float64: `domain_scores` of the bank's clips, each left out."""
        raise NotImplementedError(f"{type(self).__name__} has no scores by domain")


class Remembered(Fitted):
    """A fitted backend that detectors share: every array is computed once, and handed out as a copy.

    Scores are kept as long as their queries live.
    """

    def __init__(self, inner: Fitted) -> None:
        self.inner = inner

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) scores."""
        if queries not in self._scores:
            self._scores[queries] = self.inner.scores(queries)
        return self._scores[queries].copy()

    def self_scores(self) -> np.ndarray:
        """(N,) leave-one-out scores."""
        return self._own.copy()

    def domain_scores(self, queries: Queries) -> np.ndarray:
        """(2, M) scores against each domain."""
        if queries not in self._by_domain:
            self._by_domain[queries] = self.inner.domain_scores(queries)
        return self._by_domain[queries].copy()

    def domain_self_scores(self) -> np.ndarray:
        """(2, N) leave-one-out scores against each domain."""
        return self._own_by_domain.copy()

    @cached_property
    def _scores(self) -> WeakKeyDictionary[Queries, np.ndarray]:
        return WeakKeyDictionary()

    @cached_property
    def _by_domain(self) -> WeakKeyDictionary[Queries, np.ndarray]:
        return WeakKeyDictionary()

    @cached_property
    def _own(self) -> np.ndarray:
        return self.inner.self_scores()

    @cached_property
    def _own_by_domain(self) -> np.ndarray:
        return self.inner.domain_self_scores()


class Backend(ABC):
    """A bank of normal embeddings to a score.

    A member is a frozen dataclass that inherits from this class. Its fields are its parameters. `fit` returns
    another object; the member itself never changes.
    """

    #: Name in the registry, set by `register`.
    name: ClassVar[str]
    #: Needs domain labels, with at least one source and one target clip in the bank.
    needs_domains: ClassVar[bool] = False
    #: Can score against each domain of the bank alone (`Fitted.domain_scores`).
    by_domain: ClassVar[bool] = False
    #: Kind of normalization ("bank", "reference", "scores") or name of one, and why it is refused.
    refuses: ClassVar[dict[str, str]] = {}

    #: How it compares embeddings; None for a backend that works on the vectors themselves.
    compares_in: Space | None = None

    @property
    def libraries(self) -> tuple[str, ...]:
        """Distributions that compute its scores only where a parameter asks for them, e.g. "faiss-cpu"."""
        return ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics whose matrices of whole vectors can be shared with other detectors."""
        return (
            (self.compares_in.metric,) if self.compares_in is not None and self.compares_in.bands == 1 else ()
        )

    @abstractmethod
    def fit(self, references: References) -> Fitted:
        """The backend fitted on references. Raises ConfigError when there are too few for its parameters."""


def require_both_domains(name: str, domain: np.ndarray | None) -> None:
    """Raise ConfigError unless the bank has source and target clips."""
    present = [] if domain is None else sorted({"source" if value == 0 else "target" for value in domain})
    if len(present) < 2:
        found = f"{present[0]} clips only" if present else "no domains"
        raise ConfigError(
            name,
            f"needs source and target clips in the bank, which has {found}",
            "Give the train clips their domains, or choose a detector that needs none.",
        )


def require_size(name: str, parameter: str, value: int, available: int, what: str) -> None:
    """Raise ConfigError when `value` neighbours are asked of `available` clips."""
    if value > available:
        raise ConfigError(
            f"{name}, parameter {parameter}",
            f"is {value}, but there are only {available} {what}",
            f"Set {parameter} to {available} or less, or give a larger bank."
            if available
            else "Give a larger bank.",
        )
