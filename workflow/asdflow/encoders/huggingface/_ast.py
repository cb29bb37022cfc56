"""AST: a transformer over overlapping patches of the log-mel picture (Gong et al. 2021)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asdflow.encoders import _kaldi
from asdflow.encoders.huggingface._geometry import Geometry

if TYPE_CHECKING:
    import torch

PREFIX = 2  # class and distillation tokens stand before the patches


class Patches(Geometry):
    """Patches of 16 frames x 16 mel bins every 10 of both, in the published models: 12 bands, 100 ms apart.

    Its table of positions is fixed at `max_length` frames (1024, 10.24 s): shorter clips are padded by the
    front end with rows of zero, which take part in attention; only patches that lie wholly in the clip are
    frames (arXiv 2104.01778, section 2.1).
    """

    def __init__(self, folder: Path, config: Any, front_end: Any) -> None:
        super().__init__(folder, config, front_end)
        self.require("patch_size", type(config.patch_size), int)
        self.require("num_mel_bins of the front end", front_end.num_mel_bins, config.num_mel_bins)
        self.require("max_length of the front end", front_end.max_length, config.max_length)
        self.patch, self.stride = config.patch_size, config.time_stride
        self.bands = (config.num_mel_bins - self.patch) // config.frequency_stride + 1
        self.shift = _kaldi.frame_shift(self.rate)
        self.least = _kaldi.frame_length(self.rate) + (self.patch - 1) * self.shift
        self.hop = config.max_length * self.shift
        self.window = self.hop - self.shift + _kaldi.frame_length(self.rate)

    def steps(self, samples: int) -> int:
        frames = _kaldi.frame_count(samples, self.rate)
        return 0 if frames < self.patch else 1 + (frames - self.patch) // self.stride

    def times(self, steps: int) -> np.ndarray:
        return (np.arange(steps) * self.stride * self.shift + self.least / 2) / self.rate

    def arranged(self, tokens: torch.Tensor, steps: int) -> torch.Tensor:
        """Tokens come band after band, each with all of its steps."""
        return tokens[:, PREFIX:].unflatten(1, (self.bands, -1))[:, :, :steps].transpose(1, 2)
