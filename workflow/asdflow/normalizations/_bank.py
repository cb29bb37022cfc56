"""What normalizations on the bank share."""

from __future__ import annotations

import numpy as np

from asdflow.backends._base import require_both_domains
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
    distances = references.between(metric, bands)[:, rows[:, None], rows]
    return (np.square(distances) if metric == "euclidean" else 4.0 * distances).mean(axis=0)
