"""Global weighted rank pooling over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from asdflow.poolings import register
from asdflow.poolings._base import Bands, Pooling


@register("gwrp")
@dataclass(frozen=True)
class GWRP(Pooling):
    """Mean of each dimension's values, sorted in descending order and weighted geometrically.

    v = sum_k r^(k-1) x_(k) / sum_k r^(k-1), x_(1) >= x_(2) >= ... the values of one dimension over time.
    r = 1 is the mean, r = 0 the maximum.

    Source: Kolesnikov & Lampert, ECCV 2016; for sound as in arXiv 2603.04605, whose best r lies between 0.4
    and 0.9.

    Degenerate input: one frame, or frames that are all alike, return that frame.
    """

    r: Annotated[
        float,
        Field(ge=0.0, le=1.0, description="Weight of a rank relative to the one before: 1 mean, 0 max."),
    ] = 0.7
    bands: Bands = "keep"

    def pool(self, frames: np.ndarray) -> np.ndarray:
        """Weighted mean over ranks."""
        weight = np.power(self.r, np.arange(frames.shape[1]), dtype=np.float64)  # 0^0 is 1
        descending = -np.sort(-frames, axis=1)
        return np.einsum("t,btfc->bfc", weight / weight.sum(), descending)
