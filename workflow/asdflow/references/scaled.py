"""References at distances that the density around each of them has changed."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from asdflow.foundation.errors import ConfigError
from asdflow.references.bank import Bank, Embedded
from asdflow.references.candidates import Candidates
from asdflow.references.density import Density
from asdflow.references.references import References, Scaling, scaled

#: Smallest density that "guard" lets through (the value common in the field).
GUARD = 1e-12


class Rule(Protocol):
    """How a density changes a distance; `duplicates` and `self_density` as of the density normalizations."""

    name: str
    duplicates: str
    self_density: str

    def scaling(self, density: np.ndarray) -> Scaling:
        """What distances to references of these densities are divided by, and what is then taken off."""


class ScaledReferences(Candidates):
    """References y at distances d(x, y) / divisor - offset, both made of the density of y by a rule."""

    def __init__(self, references: References, rule: Rule, density: Density) -> None:
        self.references, self.rule, self.density = references, rule, density

    @property
    def bank(self) -> Bank:
        """The bank."""
        return self.references.bank

    @property
    def size(self) -> int:
        """Number of references R."""
        return self.references.size

    @property
    def domain(self) -> np.ndarray | None:
        """(R,) 0 source, 1 target; or None."""
        return self.references.domain

    def search(self, clips: Embedded, k: int) -> dict[int, np.ndarray]:
        """The nearest at changed distances; without a clip, densities are those that remain.

        Raises ConfigError where no reference with a neighbour is left.
        """
        scaling = self._scaling(self.density.full)
        if clips is not self.bank or self.rule.self_density == "full":
            return self.references.search(clips, k, scaling)
        changes = self.density.changes
        found = self.references.search(clips, k, scaling, [(one.clip, one.reference) for one in changes])
        for band, one in enumerate(changes):
            plain = self.references.at(clips, band, one.clip, one.reference)
            values = scaled(plain, *self._scaling(one.density))  # infinite where there is no density
            for domain, best in found.items():
                here = slice(None) if self.domain is None else self.domain[one.reference] == domain
                best[band] = smallest_with(best[band], one.clip[here], values[here])
        if np.isinf(np.min([values[..., 0] for values in found.values()], axis=0)).any():
            raise ConfigError(
                f"normalization {self.rule.name}",
                f"leaves no reference with a neighbour when one of {self.bank.size} clips is left out",
                "Give a bank of three clips that differ, or more.",
            )
        return found

    def _scaling(self, density: np.ndarray) -> Scaling:
        return self.rule.scaling(np.maximum(density, GUARD) if self.rule.duplicates == "guard" else density)


def smallest_with(best: np.ndarray, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(M, k) smallest of each row, ascending, when (n,) more values of these rows are taken into account."""
    order = np.lexsort((values, rows))
    rows, values = rows[order], values[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    few = rank < best.shape[1]
    more = np.full(best.shape, np.inf)
    more[rows[few], rank[few]] = values[few]
    return np.sort(np.concatenate([best, more], axis=1), axis=1)[:, : best.shape[1]]
