"""What every normalization shares: its kind, its flags, and the protocol of each kind.

Three kinds, in the order in which a list may hold them:

* "bank": changes the references (`change`), e.g. interpolates target clips;
* "reference": changes the distance to each reference by how densely its surroundings are filled;
* "scores": changes the scores of a fitted backend (`wrap`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from asdflow.backends._base import Backend, Fitted
from asdflow.references.bank import Bank
from asdflow.references.candidates import Candidates
from asdflow.references.references import References

Kind = Literal["bank", "reference", "scores"]
ORDER: tuple[Kind, ...] = ("bank", "reference", "scores")


@dataclass(frozen=True)
class Context:
    """What a normalization of scores may ask beside the fitted backend.

    Attributes
    ----------
    bank : Bank
    refit : callable
        From numbers of clips to the backend, as it was before this normalization, fitted on these clips
        alone, and the bank of these clips.
    """

    bank: Bank
    refit: Callable[[np.ndarray], tuple[Fitted, Bank]]


class Normalization(ABC):
    """Makes scores comparable between domains.

    A member is a frozen dataclass that inherits from one of the classes below.
    """

    #: Name in the registry, set by `register`.
    name: ClassVar[str]
    kind: ClassVar[Kind]

    @property
    def needs_domains(self) -> bool:
        """Uses the domain labels of the bank."""
        return False

    @property
    def transductive(self) -> bool:
        """Uses statistics of the clips to be scored, so that these are not scored independently."""
        return False

    def refusal(self, backend: Backend) -> str | None:
        """Why this normalization is meaningless for a backend, or None."""
        return None

    def parts(self) -> Sequence[Normalization]:
        """The simple normalizations that this one stands for, in order."""
        return (self,)


class BankNormalization(Normalization):
    """Changes the references before the backend sees them."""

    kind: ClassVar[Kind] = "bank"

    @abstractmethod
    def change(self, references: References) -> References:
        """Other references, in the same space: that of the backend."""


class ReferenceNormalization(Normalization):
    """Changes distances by a property of the reference."""

    kind: ClassVar[Kind] = "reference"

    @abstractmethod
    def change(self, references: References) -> Candidates:
        """The same references at changed distances."""


class ScoreNormalization(Normalization):
    """Changes the scores of a fitted backend."""

    kind: ClassVar[Kind] = "scores"

    @abstractmethod
    def wrap(self, fitted: Fitted, context: Context) -> Fitted:
        """A fitted backend with changed scores and self-scores."""
