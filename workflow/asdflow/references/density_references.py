"""References at distances that the density around each of them has changed."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from asdflow.foundation.errors import ConfigError
from asdflow.references.bank import Queries
from asdflow.references.density import Density
from asdflow.references.references import ALL, References
from asdflow.references.search import Found, insert

#: Smallest density that "guard" lets through (the value common in the field).
GUARD = 1e-12


class Rule(Protocol):
    """How a density changes a distance; `duplicates` and `self_density` as of the density normalizations."""

    name: str
    duplicates: str
    self_density: str

    def apply(self, distances: np.ndarray, density: np.ndarray) -> np.ndarray:
        """Changed distances; `density` broadcasts against them."""

    def affine(self, density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(factor, offset): `apply` gives the distances times the one, less the other."""


class DenseReferences(References):
    """References at distances that their densities have changed."""

    def __init__(self, inner: References, rule: Rule, density: Density) -> None:
        self.bank, self.size, self.domain, self.owners = inner.bank, inner.size, inner.domain, inner.owners
        self.inner, self.rule, self.density = inner, rule, density

    @property
    def vectors(self) -> np.ndarray:
        """(R, D) float."""
        return self.inner.vectors

    @property
    def order(self) -> np.ndarray:
        """(R,) numbers, as of the references behind."""
        return self.inner.order

    def to(
        self, queries: Queries, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) changed distances."""
        return self._changed(self.inner.to(queries, metric, bands, rows, which), self._full(which))

    def left_out(
        self, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) changed distances, infinite to references that the clip takes away."""
        start, stop, _ = rows.indices(self.bank.size)
        if self.inner.moves_with_clips:
            plain = self.inner.left_out(metric, bands, rows, which)
            result = self._changed(plain, self._full(which))
        else:
            plain = self.inner.from_bank(metric, bands, rows, which)
            result = self._changed(plain, self._full(which))
            clips, references = self.inner.owned(start, stop)
            result[:, clips - start, references] = np.inf
        if self.rule.self_density == "held_out":
            for band, changes in enumerate(self.density.changes[which]):
                part = changes.part(start, stop)
                clip = part.clip - start
                changed = self._changed(plain[band, clip, part.reference], part.density)
                result[band, clip, part.reference] = np.where(np.isnan(part.density), np.inf, changed)
            self._require_one(result)
        return result

    def from_bank(
        self, metric: str, bands: int = 1, rows: slice = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """(bands, rows, R) changed distances from the bank's clips, each of which is among the references."""
        return self._changed(self.inner.from_bank(metric, bands, rows, which), self._full(which))

    def between(
        self, metric: str, bands: int = 1, rows: slice | np.ndarray = slice(None), which: slice = ALL
    ) -> np.ndarray:
        """A changed distance belongs to a clip and a reference; between references there is none."""
        raise NotImplementedError("references of changed density have no distances among themselves")

    def _nearest(self, clips: Queries | None, metric: str, bands: int, k: int) -> dict[int, np.ndarray]:
        """As of the references behind, at changed distances."""
        changes = self.density.changes if clips is None and self.rule.self_density == "held_out" else None
        without = None if changes is None else [(part.clip, part.reference) for part in changes]
        density = self._guarded(self.density.full)
        with np.errstate(divide="ignore", over="ignore"):
            searched = self.inner.nearest_changed(clips, metric, bands, k, self.rule.affine(density), without)
        if searched is None:
            return self._nearest_of_all(clips, metric, bands, k)
        found = {
            domain: self._as_defined(part, clips, metric, bands, density) for domain, part in searched.items()
        }
        for band, part in enumerate(changes or []):
            plain = self.inner.to_pairs(None, metric, bands, band, part.clip, part.reference)
            values = np.where(np.isnan(part.density), np.inf, self._changed(plain, part.density))
            for domain, best in found.items():
                here = slice(None) if self.domain is None else self.domain[part.reference] == domain
                insert(part.clip[here], values[here], best[band])
        if changes is not None:
            self._require_one(np.concatenate(list(found.values()), axis=-1))
        return found

    def _as_defined(
        self, found: Found, clips: Queries | None, metric: str, bands: int, density: np.ndarray
    ) -> np.ndarray:
        """(bands, M, k) what the rule makes of distances; they were searched for by its affine form."""
        result = np.full(found.value.shape, np.inf)
        for band, (values, numbers) in enumerate(zip(found.value, found.number, strict=True)):
            rows, places = np.nonzero(np.isfinite(values))
            numbers = numbers[rows, places]
            plain = self.inner.to_pairs(clips, metric, bands, band, rows, numbers)
            result[band, rows, places] = self.rule.apply(plain, density[band, numbers])
        return np.sort(result, axis=-1)

    def _full(self, which: slice) -> np.ndarray:
        """(bands, 1, R)."""
        return self.density.full[which, None, :]

    def _require_one(self, changed: np.ndarray) -> None:
        if np.isinf(changed.min(axis=-1)).any():
            raise ConfigError(
                f"normalization {self.rule.name}",
                f"leaves no reference with a neighbour when one of {self.bank.size} clips is left out",
                "Give a bank of three clips that differ, or more.",
            )

    def _changed(self, distances: np.ndarray, density: np.ndarray) -> np.ndarray:
        return self.rule.apply(distances, self._guarded(density))

    def _guarded(self, density: np.ndarray) -> np.ndarray:
        return np.maximum(density, GUARD) if self.rule.duplicates == "guard" else density
