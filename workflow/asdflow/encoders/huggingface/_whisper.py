"""The encoder of Whisper: a transformer over 30 s of log-mel picture (Radford et al. 2022)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from asdflow.encoders.huggingface._geometry import Geometry

HALVING = 2  # stride of the second convolution


class Padded(Geometry):
    """Every clip is padded with silence to 30 s, as in training, and costs as much as 30 s.

    Frame j is centred on 20 ms x j (arXiv 2212.04356, section 2.2); frames centred beyond the end of the clip
    are left out, though the padding took part in attention. One band.
    """

    def __init__(self, folder: Path, config: Any, front_end: Any) -> None:
        super().__init__(folder, config, front_end)
        self.stride = HALVING * front_end.hop_length
        self.window = self.hop = front_end.n_samples
        self.least = front_end.n_fft
        self.require("feature_size of the front end", front_end.feature_size, config.num_mel_bins)
        self.require("dither of the front end", front_end.dither, 0.0)
        self.require(
            "number of frames of the front end", self.window // self.stride, config.max_source_positions
        )

    def steps(self, samples: int) -> int:
        return -(-samples // self.stride)

    def times(self, steps: int) -> np.ndarray:
        return np.arange(steps) * self.stride / self.rate
