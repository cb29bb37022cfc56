"""YAMNet: a MobileNet trained on AudioSet (Plakal and Ellis 2019), its middle layers above all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from asdflow import checkpoints
from asdflow.encoders import register
from asdflow.encoders._passes import Passes
from asdflow.encoders.base import Encoder, Layers, Storage, StoredBands, check_layers
from asdflow.foundation.errors import ConfigError

RATE = 16000
PATCH, FRAME, HOP = 15600, 400, 160  # samples: one patch is 96 frames of 25 ms every 10 ms
# (steps a patch, bands, channels); every block with a stride of 2 halves steps and bands.
SHAPES = {
    "layer1": (48, 32, 32),
    "layer2": (48, 32, 64),
    **dict.fromkeys(("layer3", "layer4"), (24, 16, 128)),
    **dict.fromkeys(("layer5", "layer6"), (12, 8, 256)),
    **dict.fromkeys((f"layer{number}" for number in range(7, 13)), (6, 4, 512)),
    **dict.fromkeys(("layer13", "layer14"), (3, 2, 1024)),
    "embedding": (1, 1, 1024),
}


@register("yamnet")
@dataclass(frozen=True)
class YAMNet(Encoder):
    """Frames of a layer of YAMNet, its time and frequency axes kept.

    The clip is cut into patches of 0.975 s every `hop_s`; each is a log-mel picture (96 steps x 64 bands,
    125 to 7500 Hz, log(mel + 0.001)) that passes 14 blocks. `layerN` is the output of block N after its
    ReLU6, `embedding` the mean of layer14 over time and bands. The steps of all patches follow each other.

    Source: Plakal and Ellis, YAMNet, TensorFlow model garden 2019; MobileNet: Howard et al. 2017,
    arXiv 1704.04861. Weights: the int8 TFLite file of the registry, dequantised. Silence is legal and gives
    the frames of an empty picture.
    """

    layers: Layers = ("layer9",)
    hop_s: Annotated[
        float, Field(gt=0, le=60, description="Seconds from patch to patch, a multiple of 0.01.")
    ] = 0.48
    tail: Annotated[
        Literal["zero", "overlap", "drop"],
        Field(
            description="Samples behind the last whole patch: padded with zeros to one more patch, "
            "covered by one that ends with the clip, or left out."
        ),
    ] = "overlap"
    activations: Annotated[
        Literal["float32", "int8"],
        Field(description="int8 rounds them as the TFLite runtime does; for comparisons."),
    ] = "float32"
    checkpoint: Annotated[
        str, Field(min_length=1, description="Registered name of the weights, or a path to such a file.")
    ] = "yamnet"
    unverified: Annotated[
        bool, Field(description="Accept a file whose hash is not registered; every product says so.")
    ] = False
    storage: Storage = "float32"
    stored_bands: StoredBands = "keep"

    side_by_side = True
    sample_rate = RATE
    available_layers = tuple(SHAPES)
    min_samples = PATCH

    def __post_init__(self) -> None:
        check_layers("yamnet", self.layers, self.available_layers)
        if abs(self.hop_s * RATE / HOP - round(self.hop_s * RATE / HOP)) > 1e-6:
            raise ConfigError(
                "encoder 'yamnet', parameter 'hop_s'",
                f"{self.hop_s} is not a multiple of 0.01 s, the step of the log-mel picture",
                "Choose for example 0.48.",
            )

    def output_shape(self, layer: str, samples: int) -> tuple[int, int, int]:
        """(time, bands, channels): steps of a patch times the number of patches."""
        check_layers("yamnet", (layer,), self.available_layers)
        steps, bands, channels = SHAPES[layer]
        return steps * len(self.patch_starts(samples)), bands, channels

    def frame_times(self, samples: int, layer: str | None = None) -> np.ndarray:
        """(time,) seconds: centre of the receptive field of each step, patch after patch (they overlap)."""
        steps = SHAPES[self.one_layer(layer)][0]
        if steps == 1:
            inside = np.array([PATCH / 2])
        else:  # a block of stride 2 sees steps 2i, 2i + 1, 2i + 2: its centre lags by half its stride
            stride = 96 // steps
            inside = (stride * np.arange(steps) + stride - 1) * HOP + FRAME / 2
        return ((self.patch_starts(samples)[:, None] + inside) / RATE).reshape(-1)

    def patch_starts(self, samples: int) -> np.ndarray:
        """(patches,) int64: first sample of each patch, all multiples of 160."""
        hop = round(self.hop_s * RATE)
        starts = np.arange(0, samples - PATCH + 1, hop, dtype=np.int64)
        if starts[-1] + PATCH < samples:
            if self.tail == "zero" and starts[-1] + hop < samples:
                starts = np.append(starts, starts[-1] + hop)
            elif self.tail == "overlap":
                last = (samples - PATCH) // HOP * HOP
                starts = starts if last == starts[-1] else np.append(starts, last)
        return starts

    @cached_property
    def _network(self):
        from asdflow.encoders.yamnet._network import load

        path = checkpoints.resolve(self.checkpoint, unverified=self.unverified)
        return load(path, rounded=self.activations == "int8")

    def _forward(self, waveforms: Any) -> dict[str, Any]:
        import torch

        if not len(waveforms):
            return {
                layer: torch.zeros(0, *self.output_shape(layer, waveforms.shape[1])) for layer in self.layers
            }

        # One clip in a pass: the shapes of every product then depend on the clip's length alone, and so does
        # every bit of the result. A clip has patches enough to keep the products efficient.
        def compute(clips: torch.Tensor) -> dict[str, torch.Tensor]:
            found = [self._clip(clip, frozenset(self.layers)) for clip in clips]
            return {layer: torch.stack([one[layer] for one in found]) for layer in self.layers}

        with torch.inference_mode():
            return self._passes.run(compute, waveforms)

    @cached_property
    def _passes(self) -> Passes:
        import torch

        return Passes(torch.device("cpu"))

    def _clip(self, waveform: Any, wanted: frozenset[str]) -> dict[str, Any]:
        import torch

        from asdflow.encoders.yamnet._network import PATCH_FRAMES

        starts = self.patch_starts(len(waveform))
        missing = max(0, int(starts[-1]) + PATCH - len(waveform))
        picture = self._network.log_mel(torch.nn.functional.pad(waveform, (0, missing)))
        patches = torch.stack([picture[start : start + PATCH_FRAMES] for start in (starts // HOP).tolist()])
        outputs = self._network.layers(patches, wanted)
        return {layer: frames.flatten(0, 1) for layer, frames in outputs.items()}

    def class_scores(self, waveforms: Any) -> Any:
        """(batch, patches, 521) float32: AudioSet class scores of each patch, in the order of the file."""
        import torch

        from asdflow.encoders.base import convert, is_torch

        waveforms, kind = self._admit(waveforms), "torch" if is_torch(waveforms) else "numpy"
        wanted = frozenset({"embedding"})

        def compute(clips: torch.Tensor) -> dict[str, torch.Tensor]:
            with torch.inference_mode():
                embedding = torch.stack([self._clip(clip, wanted)["embedding"] for clip in clips])
                return {"scores": torch.sigmoid(self._network.logits(embedding[:, :, 0]))}

        return convert(self._passes.run(compute, waveforms)["scores"], kind)
