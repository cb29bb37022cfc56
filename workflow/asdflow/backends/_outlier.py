"""What the classical local outlier backends share: a clip's neighbours, and lists with one clip left out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from asdflow.backends._base import Backend, Fitted, require_size
from asdflow.backends._neighbours import Metric
from asdflow.geometry.neighbours import nearest
from asdflow.geometry.space import Space
from asdflow.references.bank import Queries
from asdflow.references.recipes import NOBODY
from asdflow.references.references import References

REFUSES = {
    "reference": "it already compares with the density around the neighbours",
    "bank": "the density around interpolated or averaged clips is set by their number, not by the data",
}


Duplicates = Annotated[
    Literal["distinct", "count"],
    Field(
        description="Exact copies in the bank: 'distinct' takes each set of copies for one clip, 'count' "
        "takes them all: around copies densities have no bounds, and normal clips beside them stand out most."
    ),
]


class OutlierBackend(Backend):
    """A backend of the k nearest clips and of theirs. Members have the fields `k`, `metric`, `duplicates`."""

    refuses: ClassVar[dict[str, str]] = REFUSES
    k: int
    metric: Metric
    duplicates: Duplicates

    @property
    def compares_in(self) -> Space:
        """The metric."""
        return Space(self.metric)

    def graph(self, references: References) -> Graph:
        """Neighbours of the bank's clips. Raises ConfigError when the bank has not k + 1 that differ."""
        where = f"backend {self.name}"
        if self.duplicates == "distinct":
            references = references.distinct(self.k + 1)
        require_size(where, "k", self.k, references.size - 1, "other clips that differ for each of the bank")
        lists = references.neighbours(self.k + 1)
        return Graph(references, where, self.k, lists.index[0], lists.distance[0])


@dataclass(frozen=True)
class Graph:
    """Nearest neighbours of each clip of the bank.

    Attributes
    ----------
    references : References
        The R clips of the bank that are told apart.
    where : str
        What to blame when there are too few clips.
    k : int
    index, near : (R, k + 1) int and float64
        Neighbours in ascending order; k columns only where there are k + 1 clips.
    """

    references: References
    where: str
    k: int
    index: np.ndarray
    near: np.ndarray

    @property
    def distances(self) -> np.ndarray:
        """(R, R) float64, as the bank has them."""
        return self.references.among()[0]

    def of(self, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        """(M, k) numbers and distances of the nearest clips, in ascending order."""
        found = nearest(self.references.to(queries)[0], self.k)
        return found.index, found.distance

    def without(self, clips: np.ndarray, left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest clips of each of `clips` when the clip at the same place of `left_out` is gone.

        Both of one shape (...); result (..., k) numbers and distances.
        """
        require_size(self.where, "k", self.k, len(self.index) - 2, "other clips when one is left out")
        index, near = self.index[clips], self.near[clips]
        found = index == left_out[..., None]
        place = np.where(found.any(axis=-1), found.argmax(axis=-1), self.k)
        step = np.arange(self.k) + (np.arange(self.k) >= place[..., None])
        return np.take_along_axis(index, step, axis=-1), np.take_along_axis(near, step, axis=-1)

    def reach_without(self, clips: np.ndarray, left_out: np.ndarray) -> np.ndarray:
        """Distance of each of `clips` to its k-th neighbour when the clip at the same place is gone.

        By value: taking d out of an ascending list moves its k-th entry on by one if d is not beyond it.
        """
        last, next_one = self.near[clips, self.k - 1], self.near[clips, self.k]
        return np.where(self.distances[clips, left_out] <= last, next_one, last)


class FittedOutlier(Fitted):
    """A fitted outlier backend: has a `graph`, and scores a clip of it without that clip."""

    graph: Graph

    @abstractmethod
    def without(self, rows: np.ndarray) -> np.ndarray:
        """(n,) exact scores of these clips of the graph, each left out."""

    def self_scores(self) -> np.ndarray:
        """(N,) exact scores of each clip with regard to the others; a copy of another stays beside it."""
        references = self.graph.references
        clips = references.owners[:, 0]
        alone = np.flatnonzero(clips != NOBODY)
        if len(alone) == references.bank.size:
            return self.without(alone)
        result = self.scores(references.bank.as_queries())
        result[clips[alone]] = self.without(alone)
        return result
