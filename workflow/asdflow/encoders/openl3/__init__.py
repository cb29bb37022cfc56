"""OpenL3: the ear of a network that learned whether sound and image belong together (Cramer et al. 2019)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from asdflow import checkpoints
from asdflow.encoders import register
from asdflow.encoders._clips import UnequalClips
from asdflow.encoders._passes import Checkpoint, Device, Passes, Unverified, torch_device
from asdflow.encoders.base import Storage, StoredBands, check_layers
from asdflow.encoders.openl3 import picture as front
from asdflow.encoders.openl3.picture import RATE, WINDOW, FrontEnd, Kind
from asdflow.encoders.openl3.resampling import Filter, resample, resampled_samples
from asdflow.foundation.errors import ConfigError
from asdflow.foundation.seeds import generator

if TYPE_CHECKING:
    import torch

    from asdflow.encoders.openl3.network import Network

AVAILABLE = ("6144", "512")
AT_ONCE = 16  # windows whose pictures are made together
_PUBLISHED = re.compile(r"openl3_(?:\w+_)?(mel128|mel256|linear)_(?:env|music)")


@register("openl3")
@dataclass(frozen=True)
class OpenL3(UnequalClips):
    """Embedding of every window of one second, `hop_s` apart.

    A window's spectrogram in decibels below its maximum, 80 dB deep, passes eight convolutions. `6144` holds
    the maxima of 4 x 3 cells (frequency x time) of the last 512 maps: 4 bands, each with 3 times 512
    channels; the frame as one row is the published vector. `512` is the maximum over these cells. Both come
    from one pass. The content type, env or music, is that of the checkpoint. Silence is legal.

    The weights were trained with the front end `v03`. Above half of the recording's rate the pictures show
    the resampler's stop band, so the resampler belongs to the encoder: set `sample_rate` to the recordings'
    rate, and they are brought to 48 kHz by `resampler`.

    Source: Cramer et al., Look, listen, and learn more: design choices for deep audio embeddings, ICASSP
    2019.

    Errors on first use: FetchError when the checkpoint is absent, unverified, holds code or lacks tensors,
    ConfigError when it belongs to another picture.
    """

    checkpoint: Checkpoint = "openl3_mel128_env"
    layers: Annotated[
        tuple[str | int, ...],
        Field(
            strict=False,
            min_length=1,
            description="Embeddings kept, both from one pass: 512, 6144 (4 bands x 1536).",
        ),
    ] = ("512",)
    picture: Annotated[
        Kind | None,
        Field(
            description="Spectrogram: 128 or 256 mel bands, or 257 bins. Default: the one that the "
            "checkpoint was trained on, where its name or content tells, else mel128."
        ),
    ] = None
    front_end: Annotated[
        FrontEnd,
        Field(
            description="v03: openl3 up to 0.3.1 (kapre 0.1), torchopenl3, and what the weights were trained "
            "with; v04: openl3 0.4 (kapre 0.3); v04librosa: openl3 0.4 with its librosa front end."
        ),
    ] = "v03"
    hop_s: Annotated[float, Field(gt=0, le=60, description="Seconds from window to window.")] = 0.1
    center: Annotated[
        bool,
        Field(description="Half a second of zeros in front: the first window's centre is the clip's start."),
    ] = True
    sample_rate: Annotated[
        int,
        Field(
            ge=1000, le=RATE, description="Rate of the recordings, Hz; below 48000 they are resampled here."
        ),
    ] = RATE
    resampler: Annotated[
        Filter,
        Field(
            description="Filter of resampy 0.2: kaiser_best is OpenL3's own, kaiser_fast the density paper's."
        ),
    ] = "kaiser_best"
    excerpt_s: Annotated[
        float | None,
        Field(
            gt=0,
            description="Seconds of each clip that are heard, at a place drawn from the clip's own samples; "
            "the density paper's program hears a third of the longest clip. Default: the whole clip.",
        ),
    ] = None
    unverified: Unverified = False
    device: Device = "cpu"
    storage: Storage = "float32"
    stored_bands: StoredBands = "keep"

    side_by_side = exact_rate = True
    available_layers = AVAILABLE
    min_samples = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(str(layer) for layer in self.layers))
        check_layers(self.name, self.layers, AVAILABLE)
        if self._hop < 1:
            raise ConfigError(
                "encoder 'openl3', parameter 'hop_s'",
                f"{self.hop_s} is less than a sample",
                "Choose for example 0.1.",
            )
        self._agreed(self.picture, self._told_by_name)

    @property
    def _hop(self) -> int:
        """Samples at 48 kHz."""
        return int(self.hop_s * RATE)

    def output_shape(self, layer: str, samples: int) -> tuple[int, int, int]:
        """(windows, bands, channels)."""
        check_layers(self.name, (layer,), AVAILABLE)
        count = front.window_count(self._heard(samples), self._hop, self.center)
        width = self._network.channels
        return (count, 4, 3 * width) if layer == "6144" else (count, 1, width)

    def frame_times(self, samples: int, layer: str | None = None) -> np.ndarray:
        """(windows,) float64: middle of each window in seconds, at most the clip's end.

        Of an excerpt: from the excerpt's start.
        """
        heard = self._heard(samples)
        starts = np.arange(front.window_count(heard, self._hop, self.center)) * self._hop / RATE
        return starts if self.center else np.minimum(starts + WINDOW / RATE / 2, heard / RATE)

    def _heard(self, samples: int) -> int:
        """Samples at 48 kHz, of the excerpt if there is one."""
        whole = resampled_samples(samples, self.sample_rate, RATE)
        return whole if self.excerpt_s is None else min(whole, max(1, round(self.excerpt_s * RATE)))

    def _forward(self, waveforms: torch.Tensor) -> dict[str, torch.Tensor]:
        return self._passes.run(self._compute, waveforms)

    def _compute(self, waveforms: torch.Tensor) -> dict[str, torch.Tensor]:
        import torch

        cells = torch.stack([self._cells(waveform) for waveform in waveforms])
        outputs = {"6144": cells.flatten(3), "512": cells.amax(dim=(2, 3))[:, :, None]}
        return {layer: outputs[layer] for layer in self.layers}

    def _cells(self, waveform: torch.Tensor) -> torch.Tensor:
        """(samples,) to (windows, 4, 3, channels)."""
        import torch

        heard = self._heard(len(waveform))
        waveform = resample(waveform, self.sample_rate, RATE, self.resampler)
        if heard < len(waveform):
            start = excerpt_start(waveform, heard)
            waveform = waveform[start : start + heard]
        windows = front.windows(waveform, self._hop, self.center)
        return torch.cat([self._network.embeddings(self.pictures(part)) for part in windows.split(AT_ONCE)])

    def pictures(self, windows: torch.Tensor) -> torch.Tensor:
        """(windows, bands, frames) decibels of (windows, 48000) samples at 48 kHz."""
        _, kind, mel = self._loaded
        return front.pictures(windows, kind, self.front_end, mel)

    @property
    def _network(self) -> Network:
        return self._loaded[0]

    @cached_property
    def _loaded(self) -> tuple[Network, Kind, torch.Tensor | None]:
        """Network, picture and mel filters (bins, bands). The file's hash is checked before it is opened."""
        import torch

        from asdflow.encoders.openl3.checkpoint import read
        from asdflow.encoders.openl3.network import Network

        device = torch_device(self.name, self.device)
        stored = read(checkpoints.resolve(self.checkpoint, unverified=self.unverified))
        kind = self._agreed(self.picture or self._told_by_name, stored.picture) or "mel128"
        mel = front.filters(kind, self.front_end, stored.mel)
        if mel is not None:
            mel = torch.from_numpy(np.ascontiguousarray(mel.T)).to(device)
        return Network(stored.parameters, device), kind, mel

    @property
    def _told_by_name(self) -> Kind | None:
        """Picture in a name of the registry or of the published files."""
        found = _PUBLISHED.search(Path(self.checkpoint).name)
        return None if found is None else found[1]

    def _agreed(self, wanted: Kind | None, found: Kind | None) -> Kind | None:
        """The one that is not None. ConfigError when they differ: the shapes of the weights do not tell."""
        if None not in (wanted, found) and wanted != found:
            raise ConfigError(
                f"encoder 'openl3', checkpoint {self.checkpoint!r}",
                f"was trained on the picture {found}, but {wanted} is asked for",
                f"Leave out `picture`, or choose a checkpoint for {wanted}.",
            )
        return wanted or found

    @cached_property
    def _passes(self) -> Passes:
        return Passes(torch_device(self.name, self.device))


def excerpt_start(waveform: torch.Tensor, samples: int) -> int:
    """First sample of the excerpt: every place is equally likely, and the same clip has the same one."""
    content = hashlib.blake2b(waveform.cpu().numpy().tobytes()).hexdigest()
    return int(generator("openl3 excerpt", content).integers(len(waveform) - samples + 1))
