"""Nearest clips by an index of faiss: for banks whose clips are too many to compare each query with.

The index finds candidates in single precision; their distances are computed again in double precision, so
an exact index gives the scores of the plain search, and an approximate one errs only in which neighbours it
misses.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import numpy as np

from asdflow.foundation.errors import ConfigError
from asdflow.geometry.distances import unit_rows
from asdflow.geometry.space import Metric
from asdflow.references.bank import Bank, Embedded
from asdflow.references.candidates import ANY, Candidates

Kind = Literal["exact", "faiss", "faiss_ivf"]

#: Clips of one list of an inverted file.
PER_LIST = 256
#: Candidates beside those wanted: single precision may order close ones otherwise.
SPARE = 4
#: Values of one batch of differences.
DIFFERENCES = 2**22


class IndexedClips(Candidates):
    """The bank's clips, searched by an index.

    Parameters
    ----------
    bank : Bank
    metric : "cosine" or "euclidean"
    kind : "faiss" (every clip is looked at) or "faiss_ivf" (those of the lists nearest to the query)
    probes : int
        Lists that are looked at.

    Raises
    ------
    ConfigError
        faiss is not installed.
    """

    def __init__(self, bank: Bank, metric: Metric, kind: Kind, probes: int) -> None:
        self.bank, self.metric, self.kind, self.probes = bank, metric, kind, probes
        _faiss()

    @property
    def size(self) -> int:
        """Number of clips."""
        return self.bank.size

    @property
    def domain(self) -> np.ndarray | None:
        """(N,) 0 source, 1 target; or None."""
        return self.bank.domain

    def search(self, clips: Embedded, k: int) -> dict[int, np.ndarray]:
        """The nearest among the candidates that the index finds."""
        asked, own = _comparable(clips.vectors, self.metric), clips is self.bank
        result = {}
        for domain, (rows, index) in self._indexes.items():
            wanted = min(len(rows), k + SPARE + own)
            _, found = index.search(asked.astype(np.float32), wanted)
            near = _distances(asked, self._vectors, np.where(found < 0, -1, rows[found]), self.metric)
            if own:
                near[rows[found] == np.arange(len(asked))[:, None]] = np.inf
            near = np.sort(near, axis=1)[:, :k]
            result[domain] = np.full((1, len(asked), k), np.inf)
            result[domain][0, :, : near.shape[1]] = near
        return result

    @cached_property
    def _vectors(self) -> np.ndarray:
        return _comparable(self.bank.vectors, self.metric)

    @cached_property
    def _indexes(self) -> dict[int, tuple[np.ndarray, Any]]:
        """Numbers of the clips of each domain, and their index."""
        domain = np.full(self.size, ANY) if self.domain is None else self.domain
        parts = {int(one): np.flatnonzero(domain == one) for one in np.unique(domain)}
        return {one: (rows, self._index(self._vectors[rows])) for one, rows in parts.items()}

    def _index(self, vectors: np.ndarray) -> Any:
        faiss, dimensions = _faiss(), vectors.shape[1]
        vectors = vectors.astype(np.float32)
        flat = faiss.IndexFlatL2(dimensions)
        if self.kind == "faiss" or len(vectors) < 2 * PER_LIST:
            flat.add(vectors)
            return flat
        index = faiss.IndexIVFFlat(flat, dimensions, len(vectors) // PER_LIST)
        index.cp.seed, index.nprobe = 1234, self.probes
        index.train(vectors)
        index.add(vectors)
        return index


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise ConfigError(
            "backend knn, parameter index",
            "needs faiss, which is not installed",
            "Run pip install 'asdflow[faiss]', or set index: exact.",
        ) from None
    faiss.omp_set_num_threads(1)  # which lists there are must not depend on the number of threads
    return faiss


def _comparable(vectors: np.ndarray, metric: str) -> np.ndarray:
    """Float64 vectors whose Euclidean distances order the neighbours."""
    return unit_rows(vectors) if metric == "cosine" else vectors.astype(np.float64)


def _distances(asked: np.ndarray, bank: np.ndarray, found: np.ndarray, metric: str) -> np.ndarray:
    """(M, n) distances from each row to the clips found for it, infinite where none was (-1)."""
    result = np.empty(found.shape)
    step = max(1, DIFFERENCES // (found.shape[1] * bank.shape[1]))
    for start in range(0, len(found), step):
        rows = slice(start, start + step)
        square = np.square(asked[rows, None] - bank[found[rows]]).sum(axis=2)
        result[rows] = np.sqrt(square) if metric == "euclidean" else np.minimum(square / 4, 1.0)
    result[found < 0] = np.inf
    return result
