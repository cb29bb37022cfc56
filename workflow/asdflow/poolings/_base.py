"""What every pooling shares: the check of the frames, the bands, and the layout of the vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from asdflow.foundation.errors import DataError

Bands = Annotated[
    Literal["keep", "mean"],
    Field(
        description="'keep' frequency bands apart (band-major vector), or average them in each frame first."
    ),
]
#: Values of one batch of float64 copies.
BATCH = 2**24


class Pooling(ABC):
    """Frames of a clip to one vector.

    A member is a frozen dataclass that inherits from this class and has the field `bands`; it
    supplies `pool`.
    """

    #: Name in the registry, set by `register`.
    name: ClassVar[str]
    bands: Bands

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Pool over time.

        Parameters
        ----------
        frames : (batch, time, bands, channels) float32 or float64

        Returns
        -------
        (batch, dimensions) of the same dtype
            Band-major: entry band * width + channel, where width is the number of channels, or a multiple of
            it for a pooling that keeps several statistics.

        Raises
        ------
        DataError
            Not four axes, none of one, not floating, or values that are not finite.
        """
        frames = np.asarray(frames)
        if frames.ndim != 4 or 0 in frames.shape[1:] or frames.dtype.kind != "f":
            raise DataError(
                "frames",
                f"are {frames.dtype} of shape {frames.shape}",
                "Give floating (batch, time, bands, channels), at least one of each.",
            )
        step = max(1, BATCH // int(np.prod(frames.shape[1:])))
        parts = [self._vectors(frames[start : start + step]) for start in range(0, len(frames), step)]
        return (
            np.concatenate(parts) if parts else self._vectors(np.zeros((0, *frames.shape[1:]), frames.dtype))
        )

    @abstractmethod
    def pool(self, frames: np.ndarray) -> np.ndarray:
        """(batch, time, bands, channels) float64 to (batch, bands, width) float64."""

    def _vectors(self, frames: np.ndarray) -> np.ndarray:
        """One batch, computed in float64."""
        if not np.isfinite(frames).all():
            clip = int(np.flatnonzero(~np.isfinite(frames).all(axis=(1, 2, 3)))[0])
            raise DataError(
                "frames",
                f"hold NaN or infinity, first in clip {clip} of the batch",
                "Remove the clip, or find what made its frames.",
            )
        values = frames.astype(np.float64)
        if self.bands == "mean":
            values = values.mean(axis=2, keepdims=True)
        pooled = self.pool(values)
        return pooled.reshape(len(frames), -1).astype(frames.dtype)
