"""What normalizations on the bank share."""

from __future__ import annotations

import numpy as np

from asdflow.backends._base import require_both_domains
from asdflow.mixed_distances import UNIT, in_units, squared
from asdflow.references import References


def domain_rows(references: References, where: str, domain: int) -> np.ndarray:
    """Numbers of the references of a domain. Raises ConfigError unless both domains are there."""
    require_both_domains(where, references.domain)
    return np.flatnonzero(references.domain == domain)


def squares(references: References, rows: np.ndarray, metric: str | None, bands: int) -> np.ndarray:
    """(rows, rows) squared distances between references in the backend's space, averaged over bands.

    A backend that works on vectors has the Euclidean space. For the cosine the space is that of unit vectors.
    """
    metric = metric or "euclidean"
    if len(rows) * 4 > references.size:
        whole = references.remember(("squares", metric, bands), lambda: _squares(references, metric, bands))
        return whole[rows[:, None], rows]
    between = np.stack(
        [references.between(metric, bands, rows, slice(band, band + 1))[0][:, rows] for band in range(bands)]
    )
    return squared(between, metric).mean(axis=0)


def _squares(references: References, metric: str, bands: int) -> np.ndarray:
    """(R, R) of all references."""
    total = np.zeros((references.size, references.size))
    memory = np.empty(total.shape if metric == "euclidean" else 0)
    for band in range(bands):
        between = references.between(metric, bands, slice(None), slice(band, band + 1))[0]
        total += in_units(between, metric, memory)
    total *= UNIT[metric] / bands
    return total
