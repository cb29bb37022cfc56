"""How embeddings are compared: by which distance, whole or band by band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Metric = Literal["cosine", "euclidean"]


@dataclass(frozen=True)
class Space:
    """A distance between embeddings, in one or more bands.

    Attributes
    ----------
    metric : "cosine" or "euclidean"
        (1 - cos) / 2, or plain.
    bands : int
        Equal parts of the vectors that are compared one by one.
    """

    metric: Metric
    bands: int = 1

    def squares(self, distances: np.ndarray) -> np.ndarray:
        """Squared distances of the vectors that are averaged: for the cosine those of unit length."""
        return 4 * distances if self.metric == "cosine" else np.square(distances)


#: Of backends that work on vectors.
PLAIN = Space("euclidean")
