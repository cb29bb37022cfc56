"""Where the frames of a network lie in time and frequency, from its configuration alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asdflow.foundation.errors import FetchError

if TYPE_CHECKING:
    import torch


class Geometry(ABC):
    """One kind of network.

    Parameters
    ----------
    folder : path
        Of the model, for messages.
    config : object
        Configuration of the network, as the library reads it.
    front_end : object
        The library's feature extractor.

    A kind raises FetchError when the two do not go together, or ask for something that has no fixed frames.
    """

    bands = 1
    #: Samples of the longest clip that goes through the network at once; None: any length.
    window: int | None = None
    #: Samples from one window to the next, for clips that are split.
    hop: int | None = None
    #: Shortest clip with a frame, in samples.
    least: int

    def __init__(self, folder: Path, config: Any, front_end: Any) -> None:
        self.folder, self.config, self.front_end = folder, config, front_end
        self.rate = int(front_end.sampling_rate)
        self.depth, self.width = int(config.num_hidden_layers), int(config.hidden_size)

    @abstractmethod
    def steps(self, samples: int) -> int:
        """Frames of a clip, those of padding left out."""

    @abstractmethod
    def times(self, steps: int) -> np.ndarray:
        """(steps,) float64: middle of what each frame sees, in seconds."""

    def arranged(self, tokens: torch.Tensor, steps: int) -> torch.Tensor:
        """(batch, tokens, width) of the network to (batch, steps, bands, width)."""
        return tokens[:, :steps, None]

    def pieces(self, samples: int) -> list[tuple[int, int]]:
        """First and last sample of each window of a clip; windows without a frame are left out."""
        if self.window is None or samples <= self.window:
            return [(0, samples)]
        starts = range(0, samples, self.hop)
        pieces = [(start, min(start + self.window, samples)) for start in starts]
        return [(start, end) for start, end in pieces if end - start >= self.least]

    def inputs(self, clips: np.ndarray) -> torch.Tensor:
        """(batch, samples) float32 to what the network takes: the model's own front end."""
        import torch

        made = self.front_end(list(clips), sampling_rate=self.rate, return_tensors="np")
        return torch.from_numpy(np.ascontiguousarray(made[self.front_end.model_input_names[0]], np.float32))

    def require(self, what: str, found: Any, expected: Any) -> None:
        """Raise FetchError unless two statements of a model's files agree."""
        if found != expected:
            raise FetchError(
                self.folder,
                f"{what} is {found!r}, expected {expected!r}",
                "Check that all files are of one model.",
            )
