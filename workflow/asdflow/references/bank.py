"""The bank of normal clips, the clips to be scored, and what they share: distances, computed once.

A detector is built of a backend and of normalizations; all of them ask the same few objects. `Bank` and
`Queries` hold embeddings, and every matrix of products and distances that they were asked for, as long as
they live themselves; a pickle leaves the matrices out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from asdflow.foundation.errors import ConfigError, DataError
from asdflow.foundation.memory import Lean
from asdflow.geometry.distances import from_products, in_range, matrix, pairwise
from asdflow.geometry.inner_products import Products, part_count, products, total
from asdflow.geometry.order import canonical_order
from asdflow.geometry.space import Space

SOURCE, TARGET = 0, 1
#: Products that are kept at most (0.13 GB): both metrics and the principal axes are made of them. Beyond,
#: each metric's distances are computed from the vectors.
KEPT = 2**24


class Embedded(Lean):
    """Embeddings, and their products and distances with the clips of a bank.

    Attributes
    ----------
    vectors : (clips, D) float
    bank : Bank
        What the clips are compared with; a bank's own clips with each other.
    """

    bank: Bank

    def __init__(self, vectors: np.ndarray, name: str) -> None:
        self.vectors = matrix(vectors, name)

    @property
    def size(self) -> int:
        """Number of clips."""
        return self.vectors.shape[0]

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self.vectors.shape[1]

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

    def products(self) -> Products:
        """Products with the bank's clips, about the bank's centre."""
        return self._products_in(1)[0]

    def distances(self, space: Space) -> np.ndarray:
        """(bands, n, N) float64 distances to the bank's clips. Not to be written to."""
        if space not in self._distances:
            self._distances[space] = self._computed(space)
        return self._distances[space]

    def knows(self, space: Space) -> bool:
        """Whether these distances have been asked for before, or were given."""
        return space in self._distances

    @cached_property
    def _distances(self) -> dict[Space, np.ndarray]:
        return {}

    @cached_property
    def _products(self) -> dict[int, list[Products]]:
        """Products of 1, 2, ... equal parts of the vectors."""
        return {}

    @property
    def _parts(self) -> int:
        """Parts of a vector whose products are kept: 1 where these are too many."""
        parts = part_count(self.dimensions)
        return 1 if self.size * self.bank.size * parts > KEPT else parts

    def _products_in(self, bands: int) -> list[Products]:
        """Products band by band, those of several parts summed where the bands are made of parts."""
        if bands not in self._products:
            parts, pairs = self._parts, self._pairs(bands)
            if bands == parts or parts % bands:
                self._products[bands] = [products(x, y) for x, y in pairs]
            else:
                known, each = self._products_in(parts), parts // bands
                self._products[bands] = [
                    total(known[each * band : each * (band + 1)], *pairs[band]) for band in range(bands)
                ]
        return self._products[bands]

    def _computed(self, space: Space) -> np.ndarray:
        pairs = self._pairs(space.bands)
        usable = space.metric != "cosine" or all(in_range(part) is part for pair in pairs for part in pair)
        shared = self._parts % space.bands == 0 or self._parts == 1
        result = np.empty((space.bands, self.size, self.bank.size))
        if usable and shared and result.size <= KEPT:
            for part, out in zip(self._products_in(space.bands), result, strict=True):
                from_products(part, space.metric, out)
        else:
            for (x, y), out in zip(pairs, result, strict=True):
                out[...] = pairwise(x, y, space.metric)
        return result

    def _pairs(self, bands: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Both sides of each band; the same object twice where these are the bank's clips."""
        mine = [self.band(number, bands) for number in range(bands)]
        others = mine if self is self.bank else [self.bank.band(number, bands) for number in range(bands)]
        return list(zip(mine, others, strict=True))


class Bank(Embedded):
    """Normal clips that a detector is fitted on.

    Parameters
    ----------
    vectors : (N, D) float
    domain : (N,) int, optional
        0 source, 1 target. None where the data set has no domains.
    distances : mapping of metric to (N, N) float64, optional
        As `asdflow.geometry.distances.pairwise(vectors, None, metric)` gives them.
    recording : (N,) int or str, optional
        Clips of one recording are not independent: the self-score of one leaves all of them out. Default:
        every clip is a recording of its own.

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
        recording: np.ndarray | None = None,
    ) -> None:
        super().__init__(vectors, "bank")
        self.domain = None if domain is None else _domain(domain, self.size)
        self.recording = None if recording is None else _recording(recording, self.size)
        self._distances.update(_given(distances or {}, (self.size, self.size)))

    @property
    def bank(self) -> Bank:
        """Itself."""
        return self

    @cached_property
    def order(self) -> np.ndarray:
        """(N,) numbers of the clips in an order that depends on their values alone."""
        return canonical_order(self.vectors)

    def part(self, clips: np.ndarray) -> Bank:
        """Bank of some of the clips, with their distances where known; their products have another centre."""
        domain, recording = (None if of is None else of[clips] for of in (self.domain, self.recording))
        result = Bank(self.vectors[clips], domain, recording=recording)
        for space, values in self._distances.items():
            result._distances[space] = values[:, clips[:, None], clips]
        return result

    @property
    def recordings(self) -> list[np.ndarray]:
        """Numbers of the clips of each recording."""
        if self.recording is None:
            return [np.array([clip]) for clip in range(self.size)]
        order = np.argsort(self.recording, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.recording))[:-1])

    def apart(self, clips: np.ndarray) -> tuple[Bank, Queries]:
        """The bank without some clips, and these as clips to be scored against it."""
        others = np.setdiff1d(np.arange(self.size), clips)
        rest = self.part(others)
        queries = Queries(self.vectors[clips], rest)
        for space, values in self._distances.items():
            queries._distances[space] = values[:, clips[:, None], others]
        return rest, queries

    def as_queries(self) -> Queries:
        """The bank's clips as clips to be scored, with the same distances."""
        result = Queries(self.vectors, self)
        result._distances, result._products = self._distances, self._products
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
        self._distances.update(_given(distances or {}, (self.size, bank.size)))


def _recording(recording: np.ndarray, size: int) -> np.ndarray | None:
    """(N,) int, equal where recordings are; None where no two are. Raises DataError for another shape."""
    recording = np.asarray(recording)
    if recording.shape != (size,):
        raise DataError("recording", f"has shape {recording.shape}", f"Give {size} names, one a clip.")
    names, number = np.unique(recording, return_inverse=True)
    return number if len(names) < size else None


def _domain(domain: np.ndarray, size: int) -> np.ndarray:
    domain = np.asarray(domain)
    if domain.shape != (size,) or not np.isin(domain, (SOURCE, TARGET)).all():
        raise DataError(
            "domain",
            f"has shape {domain.shape} and values {sorted(set(domain.ravel().tolist()))[:5]}",
            f"Give {size} values, 0 for source and 1 for target.",
        )
    return domain.astype(np.int64)


def _given(distances: Mapping[str, np.ndarray], shape: tuple[int, int]) -> dict[Space, np.ndarray]:
    """Matrices that were handed over, by space. Raises DataError for another shape."""
    result = {}
    for metric, values in distances.items():
        values = np.asarray(values, dtype=np.float64)
        if values.shape != shape:
            raise DataError(
                f"distances[{metric!r}]",
                f"has shape {values.shape} instead of {shape}",
                "Compute it again.",
            )
        result[Space(metric)] = values[None]
    return result
