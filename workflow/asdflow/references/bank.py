"""The bank of normal clips, the clips to be scored, and what they share: distances computed once.

A detector is built of a backend and of normalizations; all of them ask the same few objects. `Bank` and
`Queries` hold embeddings and remember every distance matrix they were asked for. `References` are what a
backend compares a clip with: the bank's clips, or what a normalization made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from asdflow.foundation.errors import ConfigError, DataError
from asdflow.geometry.clustering import canonical_order
from asdflow.geometry.distances import from_products, in_range, matrix, pairwise
from asdflow.geometry.inner_products import Products, part_count, products, total

SOURCE, TARGET = 0, 1
#: Products that are kept at most (0.13 GB): both metrics and the principal axes are made of them. Beyond,
#: each metric's distances are computed from the vectors.
KEPT = 2**24


class Embedded:
    """Embeddings with a memory for what was computed from them."""

    def __init__(self, vectors: np.ndarray, name: str) -> None:
        self.vectors = matrix(vectors, name)
        self._memory: dict[Any, Any] = {}

    @property
    def size(self) -> int:
        """Number of clips."""
        return self.vectors.shape[0]

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self.vectors.shape[1]

    @property
    def order(self) -> np.ndarray:
        """(clips,) numbers of the clips in an order that depends on their values alone."""
        return self.remember("order", lambda: canonical_order(self.vectors))

    def remember(self, key: Any, make: Callable[[], Any]) -> Any:
        """`make()`, computed at the first call with this key only."""
        if key not in self._memory:
            self._memory[key] = make()
        return self._memory[key]

    def forget(self) -> None:
        """Drop all that is remembered. Much of it holds this object too, and would stay in memory with it."""
        self._memory.clear()

    def band(self, number: int, bands: int) -> np.ndarray:
        """(clips, D / bands) slice of band-major vectors. Raises ConfigError unless `bands` divides D."""
        if self.dimensions % bands:
            raise ConfigError(
                "parameter bands",
                f"is {bands}, which does not divide the {self.dimensions} dimensions of the embeddings",
                "Set it to the encoder's number of bands, and let the pooling keep them apart.",
            )
        width = self.dimensions // bands
        return self.vectors[:, number * width : (number + 1) * width]

    def knows(self, metric: str, bands: int) -> bool:
        """Whether these distances have been asked for before, or were given."""
        return ("distances", metric, bands) in self._memory

    def _products(self, other: Embedded, bands: int) -> list[Products]:
        """Products with the clips of `other`, band by band."""
        parts = self._parts(other)

        def made(count: int) -> list[Products]:
            of_other = other._memory.get(("products", count))
            rights = [None] * count if of_other is None else [part.right for part in of_other]
            return [
                products(*pair, right) for pair, right in zip(self._pairs(other, count), rights, strict=True)
            ]

        if parts % bands:
            return self.remember(("products", bands), lambda: made(bands))
        known = self.remember(("products", parts), lambda: made(parts))
        if bands == parts:
            return known
        each, pairs = parts // bands, self._pairs(other, bands)
        return self.remember(
            ("products", bands),
            lambda: [total(known[each * b : each * (b + 1)], *pairs[b]) for b in range(bands)],
        )

    def _parts(self, other: Embedded) -> int:
        """Parts of a vector whose products with the clips of `other` are kept: 1 where these are too many."""
        parts = part_count(self.dimensions)
        return 1 if self.size * other.size * parts > KEPT else parts

    def _distances(self, other: Embedded, metric: str, bands: int) -> np.ndarray:
        """(bands, n, n') float64 distances to the clips of `other`, band by band."""

        def compute() -> np.ndarray:
            pairs = self._pairs(other, bands)
            usable = metric != "cosine" or all(in_range(part) is part for pair in pairs for part in pair)
            result = np.empty((bands, self.size, other.size))
            shared = self._parts(other) % bands == 0 or self._parts(other) == 1
            if usable and shared and result.size <= KEPT:
                for part, out in zip(self._products(other, bands), result, strict=True):
                    from_products(part, metric, out)
            else:
                for (x, y), out in zip(pairs, result, strict=True):
                    out[...] = pairwise(x, y, metric)
            return result

        return self.remember(("distances", metric, bands), compute)

    def _pairs(self, other: Embedded, bands: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Both sides of each band; the same object twice where `other` is this one."""
        parts = [self.band(b, bands) for b in range(bands)]
        others = parts if other is self else [other.band(b, bands) for b in range(bands)]
        return list(zip(parts, others, strict=True))


class Bank(Embedded):
    """Normal clips that a detector is fitted on.

    Parameters
    ----------
    vectors : (N, D) float
    domain : (N,) int, optional
        0 source, 1 target. None where the data set has no domains.
    distances : mapping of metric to (N, N) float64, optional
        As `asdflow.geometry.distances.pairwise(vectors, None, metric)` gives them.

    Raises
    ------
    DataError
        Values that are not finite, shapes that do not fit, a domain that is neither 0 nor 1.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        domain: np.ndarray | None = None,
        distances: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        super().__init__(vectors, "bank")
        self.domain = None if domain is None else _domain(domain, self.size)
        for metric, values in (distances or {}).items():
            self._memory["distances", metric, 1] = _given(values, (self.size, self.size), metric)

    def distances(self, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, N, N) float64 distances between the clips, band by band."""
        return self._distances(self, metric, bands)

    def products(self) -> Products:
        """Of all clips, about their centre."""
        return self._products(self, 1)[0]

    def part(self, clips: np.ndarray) -> Bank:
        """Bank of some of the clips, with what is known of their distances."""
        result = Bank(self.vectors[clips], None if self.domain is None else self.domain[clips])
        for key, values in self._memory.items():
            if key[0] == "distances":
                result._memory[key] = values[:, clips[:, None], clips]
            if key[0] == "products":
                result._memory[key] = [part.part(clips) for part in values]
        return result

    def as_queries(self) -> Queries:
        """The bank's clips as clips to be scored, with the same distances."""
        result = Queries(self.vectors, self)
        result._memory = self._memory
        return result


class Queries(Embedded):
    """Clips to be scored against a bank.

    Parameters
    ----------
    vectors : (M, D) float
    bank : Bank
    distances : mapping of metric to (M, N) float64, optional
        As `asdflow.geometry.distances.pairwise(vectors, bank.vectors, metric)` gives them.
    """

    def __init__(
        self, vectors: np.ndarray, bank: Bank, distances: Mapping[str, np.ndarray] | None = None
    ) -> None:
        super().__init__(vectors, "x")
        if self.dimensions != bank.dimensions:
            raise DataError(
                "x",
                f"has {self.dimensions} dimensions, but the bank has {bank.dimensions}",
                "Embed both with the same encoder, layer and pooling.",
            )
        self.bank = bank
        for metric, values in (distances or {}).items():
            self._memory["distances", metric, 1] = _given(values, (self.size, bank.size), metric)

    def distances(self, metric: str, bands: int = 1) -> np.ndarray:
        """(bands, M, N) float64 distances to the bank's clips, band by band."""
        return self._distances(self.bank, metric, bands)

    def products(self) -> Products:
        """With the bank's clips, about the bank's centre."""
        return self._products(self.bank, 1)[0]


def _domain(domain: np.ndarray, size: int) -> np.ndarray:
    domain = np.asarray(domain)
    if domain.shape != (size,) or not np.isin(domain, (SOURCE, TARGET)).all():
        raise DataError(
            "domain",
            f"has shape {domain.shape} and values {sorted(set(domain.ravel().tolist()))[:5]}",
            f"Give {size} values, 0 for source and 1 for target.",
        )
    return domain.astype(np.int64)


def _given(values: np.ndarray, shape: tuple[int, int], metric: str) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.shape != shape:
        raise DataError(
            f"distances[{metric!r}]", f"has shape {values.shape} instead of {shape}", "Compute it again."
        )
    return values[None]
