"""The audio networks of the library `transformers`, from a folder or a commit of the Hugging Face hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from asdflow.checkpoints import hub, models, registry
from asdflow.encoders import register
from asdflow.encoders._clips import NumberedLayers, UnequalClips, canonical_layers, layer_number, numbered
from asdflow.encoders._passes import Device, Passes, torch_device
from asdflow.encoders.base import Storage, StoredBands, check_layers
from asdflow.foundation.errors import ConfigError, DataError

if TYPE_CHECKING:
    import torch

    from asdflow.encoders.huggingface._geometry import Geometry

_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@register("huggingface")
@dataclass(frozen=True)
class HuggingFace(UnequalClips):
    """Tokens of a layer of a network that `transformers` knows, as time x band x channel.

    The model's own front end prepares the waveform, its network is computed clip by clip. `layer0` is the
    input of the first block, `layerN` the output of block N, `last` what the network gives out, behind its
    last normalization where it has one. Networks on the waveform (HuBERT, wav2vec 2.0, data2vec, WavLM) and
    Whisper have one band, AST keeps its 12. Padding that a front end adds takes part in attention, its frames
    are left out. Silence is legal.

    Sources: Gong et al. 2021, arXiv 2104.01778 (AST); Hsu et al. 2021, arXiv 2106.07447 (HuBERT); Baevski et
    al. 2020, arXiv 2006.11477 (wav2vec 2.0), and 2022, arXiv 2202.03555 (data2vec); Chen et al. 2021,
    arXiv 2110.13900 (WavLM); Radford et al. 2022, arXiv 2212.04356 (Whisper).

    Errors: ConfigError without the extra `huggingface`; DataError for a clip longer than the network takes;
    on first use FetchError when the model is absent, another one, of an unknown kind, or holds code.
    """

    model: Annotated[
        str,
        Field(min_length=1, description="Folder of a model; with `revision`, a name on the hub, owner/name."),
    ]
    revision: Annotated[
        str | None, Field(description="Commit on the hub, 40 hexadecimal digits; null for a folder.")
    ] = None
    sha256: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-f]{64}$",
            description="Fingerprint of the model's files; the error of an unverified folder states it.",
        ),
    ] = None
    unverified: Annotated[
        bool, Field(description="Use a folder without its fingerprint. Every product then records it.")
    ] = False
    layers: NumberedLayers = ("last",)
    long_clips: Annotated[
        Literal["refuse", "split"],
        Field(
            description="Clips longer than the network takes (AST 10.24 s, Whisper 30 s): an error, or cut "
            "into windows that follow each other."
        ),
    ] = "refuse"
    device: Device = "cpu"
    storage: Storage = "float32"
    stored_bands: StoredBands = "keep"

    side_by_side = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", canonical_layers(self.name, self.layers))
        if self.revision is None:
            return
        if not _NAME.fullmatch(self.model):
            raise ConfigError(
                "encoder 'huggingface', parameter 'model'",
                f"{self.model!r} is no name on the hub",
                "Write it as owner/name, or leave out `revision` to name a folder.",
            )
        if not _COMMIT.fullmatch(self.revision):
            page = f"{registry.hub_address()}/{self.model}/commits/main"
            raise ConfigError(
                "encoder 'huggingface', parameter 'revision'",
                f"{self.revision!r} is no commit: a branch or tag can come to mean other weights",
                f"Write the 40 hexadecimal digits of a commit, see {page}.",
            )

    @property
    def sample_rate(self) -> int:
        """Of the model's front end, Hz."""
        return self._geometry.rate

    @property
    def available_layers(self) -> tuple[str, ...]:
        """layer0 (input of the first block) to layerN, and last. Reads the model's configuration."""
        return numbered(self._geometry.depth)

    @property
    def min_samples(self) -> int:
        """One frame."""
        return self._geometry.least

    def output_shape(self, layer: str, samples: int) -> tuple[int, int, int]:
        """(time, bands, channels) of any layer. DataError for a clip longer than the network takes."""
        steps = sum(self._geometry.steps(end - start) for start, end in self._pieces(samples))
        return steps, self._geometry.bands, self._geometry.width

    def frame_times(self, samples: int, layer: str | None = None) -> np.ndarray:
        """(time,) float64: middle of the samples that a frame sees, in seconds."""
        geometry = self._geometry
        return np.concatenate(
            [
                start / geometry.rate + geometry.times(geometry.steps(end - start))
                for start, end in self._pieces(samples)
            ]
        )

    def weight_files(self) -> list[str]:
        """The folder of a hub model, which a rule fetches, or every file that is read of one's own."""
        if self.revision is not None:
            return [str(models.hub_folder(self.model, self.revision))]
        return [str(Path(self.model) / name) for name in models.model_files(self.model)]

    def _pieces(self, samples: int) -> list[tuple[int, int]]:
        geometry = self._geometry
        if self.long_clips == "refuse" and geometry.window is not None and samples > geometry.window:
            raise DataError(
                f"encoder {self.name!r}, waveforms",
                f"are {samples / geometry.rate:.4g} s long, but {self.model} takes at most "
                f"{geometry.window / geometry.rate:.4g} s",
                "Set a length rule that cuts the clips, or `long_clips: split`.",
            )
        return geometry.pieces(samples)

    def _forward(self, waveforms: torch.Tensor) -> dict[str, torch.Tensor]:
        import torch

        check_layers(self.name, self.layers, self.available_layers)
        geometry, network = self._geometry, self._network
        numbers = {layer: layer_number(layer, geometry.depth) for layer in self.layers if layer != "last"}

        def compute(clips: torch.Tensor) -> dict[str, torch.Tensor]:
            steps = geometry.steps(clips.shape[1])
            with torch.inference_mode():
                inputs = geometry.inputs(clips.cpu().numpy()).to(clips.device)
                outputs = network(inputs, output_hidden_states=sorted(numbers.values()) or False)
                tokens = {layer: outputs.hidden_states[number] for layer, number in numbers.items()}
                tokens["last"] = outputs.last_hidden_state
                return {layer: geometry.arranged(tokens[layer], steps) for layer in self.layers}

        parts = [
            self._passes.run(compute, waveforms[:, start:end])
            for start, end in self._pieces(waveforms.shape[1])
        ]
        return {layer: torch.cat([part[layer] for part in parts], dim=1) for layer in self.layers}

    @cached_property
    def _geometry(self) -> Geometry:
        """Of the model, whose files were checked before any of them is opened."""
        from asdflow.encoders.huggingface._configuration import library, read_geometry

        library()
        return read_geometry(hub.resolve_model(self.model, self.revision, self.sha256, self.unverified))

    @cached_property
    def _network(self) -> Any:
        from asdflow.encoders.huggingface._network import load

        numbers = [layer_number(layer, self._geometry.depth) for layer in self.layers]
        deepest = None if "last" in self.layers else max(numbers)
        return load(self._geometry, deepest, torch_device(self.name, self.device))

    @cached_property
    def _passes(self) -> Passes:
        return Passes(torch_device(self.name, self.device))
