"""BEATs: a transformer over patches of the log-mel picture, pre-trained on AudioSet (Chen et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from asdflow import checkpoints, kaldi
from asdflow.encoders import register
from asdflow.encoders._clips import NumberedLayers, UnequalClips, canonical_layers, layer_number, numbered
from asdflow.encoders._passes import Checkpoint, Device, Passes, Precision, Unverified, torch_device
from asdflow.encoders.base import Storage, check_layers, check_waveforms, convert, is_torch
from asdflow.errors import ConfigError

if TYPE_CHECKING:
    import torch

RATE = 16000
MEAN, SPREAD = 15.41663, 2 * 6.55582  # of the filter bank over AudioSet, part of the model


@register("beats")
@dataclass(frozen=True)
class BEATs(UnequalClips):
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
    layers: NumberedLayers = ("last",)
    unverified: Unverified = False
    device: Device = "cpu"
    precision: Precision = "float32"
    storage: Storage = "float32"

    sample_rate = RATE

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", canonical_layers("beats", self.layers))

    @property
    def available_layers(self) -> tuple[str, ...]:
        """layer0 to layerN and last. Reads the checkpoint."""
        return numbered(self._depth)

    @cached_property
    def min_samples(self) -> int:
        """One patch: 16 frames."""
        frames = self._network.config.input_patch_size
        return kaldi.frame_length(RATE) + (frames - 1) * kaldi.frame_shift(RATE)

    def output_shape(self, layer: str, samples: int) -> tuple[int, int, int]:
        """(time, bands, channels) of any layer."""
        config = self._network.config
        return (
            kaldi.frame_count(samples, RATE) // config.input_patch_size,
            config.bands,
            config.encoder_embed_dim,
        )

    def frame_times(self, samples: int, layer: str | None = None) -> np.ndarray:
        """(time,) float64: middle of the samples that a column of patches sees, in seconds."""
        steps = self.output_shape(layer or "last", samples)[0]
        hop = self._network.config.input_patch_size * kaldi.frame_shift(RATE)
        return (np.arange(steps) * hop + self.min_samples / 2) / RATE

    def probabilities(self, waveforms: Any) -> Any:
        """(batch, classes) AudioSet probabilities of a fine-tuned checkpoint, named by `labels`.

        ConfigError when the checkpoint is self-supervised, otherwise as `layer_frames`.
        """
        self._require_head()
        kind = "torch" if is_torch(waveforms) else "numpy"
        check_waveforms(waveforms, self.name, self.min_samples, RATE)
        outputs = self._passes.run(
            lambda clips: {"probabilities": self._network.probabilities(self.picture(clips))},
            convert(waveforms, "torch"),
        )
        return convert(outputs["probabilities"], kind)

    @property
    def labels(self) -> tuple[str, ...]:
        """AudioSet identifiers of the classes of a fine-tuned checkpoint. ConfigError as `probabilities`."""
        self._require_head()
        return tuple(self._loaded[1][index] for index in sorted(self._loaded[1]))

    @staticmethod
    def picture(waveforms: torch.Tensor) -> torch.Tensor:
        """(batch, frames, 128) normalised filter bank of (batch, samples) tensors."""
        return (kaldi.fbank(waveforms * 2**15, sample_rate=RATE) - MEAN) / SPREAD

    def _forward(self, waveforms: torch.Tensor) -> dict[str, torch.Tensor]:
        check_layers(self.name, self.layers, self.available_layers)
        numbers = {layer: layer_number(layer, self._depth) for layer in self.layers}
        bands = self._network.config.bands

        def compute(clips: torch.Tensor) -> dict[str, torch.Tensor]:
            tokens = self._network.layers(self.picture(clips), set(numbers.values()))
            return {layer: tokens[number].unflatten(1, (-1, bands)) for layer, number in numbers.items()}

        return self._passes.run(compute, waveforms)

    def _require_head(self) -> None:
        if self._network.predictor is None:
            raise ConfigError(
                f"encoder {self.name!r}, checkpoint {self.checkpoint!r}",
                "has no classes: it is self-supervised",
                "Use a fine-tuned checkpoint, such as beats_iter3_as2m_ft1.",
            )

    @property
    def _depth(self) -> int:
        return self._network.config.encoder_layers

    @property
    def _network(self):
        return self._loaded[0]

    @cached_property
    def _loaded(self):
        """Network and labels. The file is checked against its SHA-256 before it is opened."""
        import torch

        from asdflow.encoders.beats.checkpoint import load

        device = torch_device(self.name, self.device)
        path = checkpoints.resolve(self.checkpoint, unverified=self.unverified)
        return load(path, device, getattr(torch, self.precision))

    @cached_property
    def _passes(self) -> Passes:
        return Passes(torch_device(self.name, self.device))
