"""What normalizations on the bank share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asdflow.backends._base import require_both_domains
from asdflow.references.mixed_distances import UNIT, in_units
from asdflow.references.references import References


def domain_rows(references: References, where: str, domain: int) -> np.ndarray:
    """Numbers of the references of a domain. Raises ConfigError unless both domains are there."""
    require_both_domains(where, references.domain)
    return np.flatnonzero(references.domain == domain)


def squares(
    references: References,
    rows: slice | np.ndarray,
    columns: slice | np.ndarray,
    metric: str | None,
    bands: int,
) -> np.ndarray:
    """(rows, columns) squared distances between references in the backend's space, averaged over bands.

    A backend that works on vectors has the Euclidean space. For the cosine the space is that of unit vectors.
    """
    metric = metric or "euclidean"
    total: np.ndarray | float = 0.0
    for band in range(bands):
        between = references.between(metric, bands, rows, slice(band, band + 1))[0]
        total += in_units(between, metric)
    total *= UNIT[metric] / bands
    return total[:, columns]


@dataclass(frozen=True)
class Averaged:
    """`squares` between chosen references, as far as k-means asks for them.

    Attributes
    ----------
    whole : (R, R) float64
        Of all references.
    chosen : (n,) int
        Numbers of the references.
    """

    whole: np.ndarray
    chosen: np.ndarray

    @classmethod
    def of(cls, references: References, chosen: np.ndarray, metric: str | None, bands: int) -> Averaged:
        """The matrix is made once."""
        everything = slice(None)
        whole = references.remember(
            ("squares", metric, bands), lambda: squares(references, everything, everything, metric, bands)
        )
        return cls(whole, chosen)

    @property
    def size(self) -> int:
        """n."""
        return len(self.chosen)

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """(m, n) of these to all that are chosen."""
        return self.whole[self.chosen[numbers]][:, self.chosen]

    def sums(self, numbers: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(n, C) sums of (m, C) weights times squared distances."""
        if len(numbers) * 2 < self.size:
            return (self.whole[self.chosen[numbers]].T @ weights)[self.chosen]
        of_all = np.zeros((len(self.whole), weights.shape[1]))
        of_all[self.chosen[numbers]] = weights
        return (self.whole @ of_all)[self.chosen]
