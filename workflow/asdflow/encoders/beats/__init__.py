"""BEATs: a transformer over patches of the log-mel picture, pre-trained on AudioSet (Chen et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asdflow.encoders import _kaldi, register
from asdflow.encoders._passes import Checkpoint
from asdflow.encoders._patches import RATE, PatchTransformer

if TYPE_CHECKING:
    import torch

MEAN, SPREAD = 15.41663, 2 * 6.55582  # of the filter bank over AudioSet, part of the model


@register("beats")
@dataclass(frozen=True)
class BEATs(PatchTransformer):
    """Tokens of a layer of BEATs as time x mel patch x channel; a step is 160 ms, (T, 8, 768) for base size.

    Kaldi filter bank of the waveform times 2^15 (128 mel bins, 25 ms every 10 ms), normalised by AudioSet's
    mean and spread; 16 x 16 patches; a convolution for positions; blocks of attention with a gated relative
    position bias, post-norm with deep-norm residuals. `layer0` is the input of the first block, `last` the
    output of the last one. All sizes come from the checkpoint. Frames that do not fill a last patch are
    dropped. Silence is legal: its filter bank is at the floor.

    Source: Chen et al., BEATs: audio pre-training with acoustic tokenizers, arXiv 2212.09058.

    Errors on first use: FetchError when the checkpoint is absent, unverified, holds code, or lacks tensors.
    """

    checkpoint: Checkpoint = "beats_iter3"

    @property
    def min_samples(self) -> int:
        """One patch: 16 frames."""
        return _kaldi.frame_length(RATE) + (self._network.patch_size - 1) * _kaldi.frame_shift(RATE)

    def output_shape(self, layer: str, samples: int) -> tuple[int, int, int]:
        """(time, bands, channels) of any layer."""
        network = self._network
        return _kaldi.frame_count(samples, RATE) // network.patch_size, network.bands, network.width

    def frame_times(self, samples: int, layer: str | None = None) -> np.ndarray:
        """(time,) float64: middle of the samples that a column of patches sees, in seconds."""
        return self._times(self.output_shape(layer or "last", samples)[0])

    def picture(self, waveforms: torch.Tensor) -> torch.Tensor:
        """(batch, frames, 128) normalised filter bank of (batch, samples) tensors."""
        return (_kaldi.fbank(waveforms * 2**15, sample_rate=RATE) - MEAN) / SPREAD

    def _load(self, path: Path, device: torch.device, product_dtype: torch.dtype):
        from asdflow.encoders.beats.checkpoint import load

        return load(path, device, product_dtype)
