"""What normalizations on the bank share."""

from __future__ import annotations

import numpy as np

from asdflow.backends._base import require_both_domains
from asdflow.references.references import References


def domain_rows(references: References, where: str, domain: int) -> np.ndarray:
    """Numbers of the references of a domain. Raises ConfigError unless both domains are there."""
    require_both_domains(where, references.domain)
    return np.flatnonzero(references.domain == domain)


def squares(references: References, rows: np.ndarray) -> np.ndarray:
    """(rows, R) squared distances of these references to all, in their space, averaged over bands."""
    bands = references.among(rows)
    return sum(references.space.squares(band) for band in bands) / len(bands)
