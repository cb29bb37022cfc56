"""What BEATs, EAT and SSLAM share: patches of a Kaldi log-mel picture, numbered layers, AudioSet heads."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asdflow import checkpoints
from asdflow.encoders import _kaldi
from asdflow.encoders._clips import NumberedLayers, UnequalClips, canonical_layers, layer_number, numbered
from asdflow.encoders._passes import Checkpoint, Device, Passes, Precision, Unverified, torch_device
from asdflow.encoders.base import Storage, StoredBands, check_layers, check_waveforms, convert, is_torch
from asdflow.foundation.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from asdflow.encoders._transformer import PatchNetwork

RATE = 16000
MEL_BINS = 128


@dataclass(frozen=True)
class PatchTransformer(UnequalClips):
    """A transformer over square patches of a picture: `frame` by `frame`, 10 ms each, times 128 mel bins.

    A member gives the checkpoint's default, `picture` and `_load`.
    """

    checkpoint: Checkpoint
    layers: NumberedLayers = ("last",)
    unverified: Unverified = False
    device: Device = "cpu"
    precision: Precision = "float32"
    storage: Storage = "float32"
    stored_bands: StoredBands = "keep"

    sample_rate = RATE
    side_by_side = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", canonical_layers(self.name, self.layers))

    @abstractmethod
    def picture(self, waveforms: torch.Tensor) -> torch.Tensor:
        """(batch, frames, 128) normalised filter bank of (batch, samples) tensors on any device."""

    @abstractmethod
    def _load(
        self, path: Path, device: torch.device, product_dtype: torch.dtype
    ) -> tuple[PatchNetwork, dict[int, str]]:
        """Network and labels by class (empty where the file has none). Raises FetchError."""

    @property
    def available_layers(self) -> tuple[str, ...]:
        """layer0 (input of the first block) to layerN, and last. Reads the checkpoint."""
        return numbered(self._network.depth)

    def probabilities(self, waveforms: Any) -> Any:
        """(batch, classes) AudioSet probabilities of a fine-tuned checkpoint, named by `labels`.

        ConfigError when the checkpoint is self-supervised; otherwise as `layer_frames`.
        """
        self._require_head()
        kind = "torch" if is_torch(waveforms) else "numpy"
        check_waveforms(waveforms, self.name, self.min_samples, RATE)
        outputs = self._passes.run(
            lambda clips: {"probabilities": self._network.logits(self.picture(clips)).sigmoid()},
            convert(waveforms, "torch"),
        )
        return convert(outputs["probabilities"], kind)

    @property
    def labels(self) -> tuple[str, ...]:
        """AudioSet identifiers of the classes. ConfigError where the checkpoint does not name any."""
        self._require_head()
        labels = self._loaded[1]
        if not labels:
            raise ConfigError(self._where, "does not name its classes", "Use the numbers of the classes.")
        return tuple(labels[index] for index in sorted(labels))

    def _forward(self, waveforms: torch.Tensor) -> dict[str, torch.Tensor]:
        check_layers(self.name, self.layers, self.available_layers)
        network = self._network
        numbers = {layer: layer_number(layer, network.depth) for layer in self.layers}

        def compute(clips: torch.Tensor) -> dict[str, torch.Tensor]:
            tokens = network.layers(self.picture(clips), set(numbers.values()))
            return {layer: self._arranged(tokens[number]) for layer, number in numbers.items()}

        return self._passes.run(compute, waveforms)

    def _arranged(self, tokens: torch.Tensor) -> torch.Tensor:
        """(batch, tokens, width) to (batch, time, bands, width)."""
        return tokens.unflatten(1, (-1, self._network.bands))

    def _times(self, steps: int) -> np.ndarray:
        """(steps,) middle of the samples that each column of patches sees, in seconds."""
        shift, patch = _kaldi.frame_shift(RATE), self._network.patch_size
        seen = _kaldi.frame_length(RATE) + (patch - 1) * shift
        return (np.arange(steps) * patch * shift + seen / 2) / RATE

    def _require_head(self) -> None:
        if not self._network.has_head:
            raise ConfigError(
                self._where,
                "has no classes: it is self-supervised",
                "Use a checkpoint fine-tuned on AudioSet.",
            )

    @property
    def _where(self) -> str:
        return f"encoder {self.name!r}, checkpoint {self.checkpoint!r}"

    @property
    def _network(self) -> PatchNetwork:
        return self._loaded[0]

    @cached_property
    def _loaded(self) -> tuple[PatchNetwork, dict[int, str]]:
        """Network and labels. The file is checked against its SHA-256 before it is opened."""
        import torch

        device = torch_device(self.name, self.device)
        path = checkpoints.resolve(self.checkpoint, unverified=self.unverified)
        return self._load(path, device, getattr(torch, self.precision))

    @cached_property
    def _passes(self) -> Passes:
        return Passes(torch_device(self.name, self.device))
