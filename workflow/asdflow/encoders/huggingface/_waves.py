"""wav2vec 2.0 and its relatives: convolutions over the waveform, then blocks over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from asdflow.encoders.huggingface._geometry import Geometry


class Waves(Geometry):
    """Networks that take clips of any length and have no frequency axis: one band.

    A frame sees `least` samples and the next one begins `stride` later: 25 ms and 20 ms in all published
    models (Baevski et al. 2020, arXiv 2006.11477, section 2). There is no padding: a last part shorter than a
    frame is left out. Where the front end says so, each clip is brought to mean 0 and variance 1.
    """

    def __init__(self, folder: Path, config: Any, front_end: Any) -> None:
        super().__init__(folder, config, front_end)
        self.require("add_adapter (it thins out the frames)", getattr(config, "add_adapter", False), False)
        self.least, self.stride = 1, 1
        for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
            self.least += (kernel - 1) * self.stride
            self.stride *= stride

    def steps(self, samples: int) -> int:
        return 0 if samples < self.least else 1 + (samples - self.least) // self.stride

    def times(self, steps: int) -> np.ndarray:
        return (np.arange(steps) * self.stride + self.least / 2) / self.rate
