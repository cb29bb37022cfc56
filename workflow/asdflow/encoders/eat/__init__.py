"""EAT: an efficient audio transformer over patches of the log-mel picture (Chen et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from asdflow.encoders import _kaldi, register
from asdflow.encoders._passes import Checkpoint
from asdflow.encoders._patches import MEL_BINS, RATE, PatchTransformer
from asdflow.encoders.eat.config import config_beside
from asdflow.foundation.errors import ConfigError, DataError

if TYPE_CHECKING:
    import torch

MEAN, SPREAD = -4.268, 2 * 4.569  # of the filter bank over AudioSet, part of the model
PATCH = 16


@register("eat")
@dataclass(frozen=True)
class EAT(PatchTransformer):
    """Tokens of a layer of EAT as time x mel patch x channel; a step is 160 ms, (T, 8, 768) for base size.

    The clip's mean is subtracted; Kaldi filter bank (128 mel bins, Hann window, 25 ms every 10 ms); rows of 0
    appended, or rows cut, to `target_length`; normalised by AudioSet's mean and spread; 16 x 16 patches at
    fixed positions behind a class token; post-norm blocks. `layer0` is the input of the first block, `last`
    the output of the last one; nothing normalises it. All sizes come from the checkpoint, in the layout of
    Hugging Face or of fairseq; of a fairseq file the student is used. Silence is legal.

    There is no mask: appended rows take part in attention, and their steps are among the frames.

    Source: Chen et al., EAT: self-supervised pre-training with efficient audio transformer, arXiv 2401.03497.

    Errors: DataError for a clip longer than the position table (122.88 s); on first use FetchError when the
    checkpoint is absent, unverified, holds code, or lacks tensors.
    """

    checkpoint: Checkpoint = "eat_base"
    target_length: Annotated[
        Literal["next16"] | Annotated[int, Field(ge=PATCH, multiple_of=PATCH)],
        Field(
            description="Frames of the picture: next16, the clip's own number rounded up to a multiple of "
            "16; or a number (the authors' is 1024, 10.24 s), to which clips are padded or cut."
        ),
    ] = "next16"
    tokens: Annotated[
        Literal["patches", "class", "joined"],
        Field(
            description="patches: time x 8 bands; class: the class token, one frame and one band; joined: "
            "one frame of 9 bands, the class token and each band's mean over time."
        ),
    ] = "patches"

    @property
    def min_samples(self) -> int:
        """One frame of the filter bank, 25 ms; the rest of a patch is padding."""
        return _kaldi.frame_length(RATE)

    def output_shape(self, layer: str, samples: int) -> tuple[int, int, int]:
        """(time, bands, channels) of any layer."""
        network, rows = self._network, self._rows(samples)
        if self.tokens != "patches":
            return 1, 1 if self.tokens == "class" else 1 + network.bands, network.width
        return rows // network.patch_size, network.bands, network.width

    def frame_times(self, samples: int, layer: str | None = None) -> np.ndarray:
        """(time,) float64: middle of the samples that a column of patches sees, in seconds.

        Where a column is padding in part, of those it does see; where it is all padding, beyond the end.
        A single frame's is the middle of the clip.
        """
        if self.tokens != "patches":
            return np.array([samples / RATE / 2])
        shift, patch = _kaldi.frame_shift(RATE), self._network.patch_size
        first = np.arange(self._rows(samples) // patch) * patch
        sound = np.clip(_kaldi.frame_count(samples, RATE) - first, 1, patch)  # frames, not padding
        sound[first >= _kaldi.frame_count(samples, RATE)] = patch
        return (first * shift + (_kaldi.frame_length(RATE) + (sound - 1) * shift) / 2) / RATE

    def picture(self, waveforms: torch.Tensor) -> torch.Tensor:
        """(batch, target frames, 128) normalised filter bank of (batch, samples) tensors."""
        from torch.nn.functional import pad

        waveforms = waveforms - waveforms.mean(dim=1, keepdim=True)
        bank = _kaldi.fbank(waveforms, sample_rate=RATE, mel_bins=MEL_BINS, window="hanning")
        rows = self._rows(waveforms.shape[1])
        bank = pad(bank, (0, 0, 0, max(0, rows - bank.shape[1])))[:, :rows]
        return (bank - MEAN) / SPREAD

    def _rows(self, samples: int) -> int:
        """Frames of the picture of a clip. DataError when the position table ends before."""
        network = self._network
        patch, longest = network.patch_size, network.config.steps * network.patch_size
        if self.target_length == "next16":
            rows = -(-_kaldi.frame_count(samples, RATE) // patch) * patch
            if rows > longest:
                raise DataError(
                    f"encoder {self.name!r}, waveforms",
                    f"are {samples / RATE:.2f} s long, but its positions end at {longest / 100:.2f} s",
                    "Set a length rule that cuts the clips, or a target_length.",
                )
            return rows
        rows = self.target_length
        if rows > longest or rows % patch:
            raise ConfigError(
                f"encoder {self.name!r}, parameter 'target_length'",
                f"{rows} is not possible: this checkpoint has patches of {patch} frames and {longest} frames",
                f"Choose a multiple of {patch}, at most {longest}.",
            )
        return rows

    def _arranged(self, tokens: torch.Tensor) -> torch.Tensor:
        if self.tokens == "class":
            return tokens[:, :1, None]
        patches = super()._arranged(tokens[:, 1:])
        if self.tokens == "patches":
            return patches
        import torch

        return torch.cat([tokens[:, :1], patches.mean(dim=1)], dim=1)[:, None]

    def weight_files(self) -> list[str]:
        """The checkpoint, and the configuration beside it where there is one."""
        (file,) = super().weight_files()
        beside = config_beside(Path(file))
        return [file] if beside is None else [file, str(beside)]

    def _load(
        self, path: Path, device: torch.device, product_dtype: torch.dtype
    ) -> tuple[Any, dict[int, str]]:
        from asdflow.encoders.eat.checkpoint import load

        return load(path, device, product_dtype)
