"""Log-mel spectrogram: the picture that the DCASE Task 2 baseline sees, as an encoder without weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from asdflow.encoders import register
from asdflow.encoders.base import Encoder, Layers, Storage, check_layers
from asdflow.foundation.errors import ConfigError

# Slaney's mel scale (Auditory Toolbox, 1998): linear to 1 kHz, logarithmic above.
HZ_PER_MEL, KNEE_HZ, LOG_STEP = 200 / 3, 1000.0, np.log(6.4) / 27


@register("logmel")
@dataclass(frozen=True)
class LogMel(Encoder):
    """Level of each mel filter in decibels above a floor.

    X = rfft(w * x) / (sum(w) / 2) for frames of `n_fft` samples every `hop`, Hann window w, no padding: a
    sine of amplitude 1 at the centre of a bin has |X| = 1. Filter m sums |X|^power under a triangle of
    height 1; its level is (20 / power) * log10 of that sum, in dB of full scale, and the value is
    max(level - floor_db, 0). So values are never negative (GeM pooling needs that), and silence is exactly 0.

    The filters are cut into `bands` groups of neighbours: frames are (time, bands, mels / bands), and
    poolings that keep bands apart give the filters in order of frequency. Default sizes are those of the
    DCASE 2023 Task 2 baseline (Harada et al. 2023, arXiv 2303.00455). Computed in float64, rounded once.
    """

    layers: Layers = ("logmel",)
    sample_rate: Annotated[int, Field(ge=1000, le=192000, description="Rate of the waveforms, Hz.")] = 16000
    n_fft: Annotated[int, Field(ge=16, le=65536, description="Samples of a frame.")] = 1024
    hop: Annotated[int, Field(ge=1, le=65536, description="Samples from frame to frame.")] = 512
    mels: Annotated[int, Field(ge=1, le=1024, description="Mel filters.")] = 128
    bands: Annotated[int, Field(ge=1, le=1024, description="Groups of filters; divides mels.")] = 8
    fmin_hz: Annotated[float, Field(ge=0, description="Lower edge of the first filter.")] = 0.0
    fmax_hz: Annotated[
        float | None, Field(gt=0, description="Upper edge of the last filter; null: half the rate.")
    ] = None
    power: Annotated[
        Literal[1, 2], Field(description="Exponent of the magnitude: 2 sums power, 1 amplitude.")
    ] = 2
    floor_db: Annotated[
        float, Field(ge=-300, le=0, description="Level that becomes 0, in dB of full scale.")
    ] = -120.0
    storage: Storage = "float32"

    available_layers: ClassVar = ("logmel",)
    library: ClassVar = "numpy"

    def __post_init__(self) -> None:
        check_layers("logmel", self.layers, self.available_layers)
        self._require(self.mels % self.bands == 0, "bands", self.bands, f"divide mels, {self.mels}")
        self._require(self.hop <= self.n_fft, "hop", self.hop, f"be at most n_fft, {self.n_fft}")
        top = self.sample_rate / 2
        self._require(self._fmax <= top, "fmax_hz", self.fmax_hz, f"be at most half the rate, {top:g}")
        self._require(self.fmin_hz < self._fmax, "fmin_hz", self.fmin_hz, f"be below fmax_hz, {self._fmax:g}")
        empty = np.flatnonzero(self._triangles().sum(axis=1) == 0)
        if empty.size:
            raise ConfigError(
                "encoder 'logmel', parameter 'mels'",
                f"{self.mels} filters are so narrow that {empty.size} of them, first number {empty[0]}, "
                f"contain no FFT bin; bins are {self.sample_rate / self.n_fft:.4g} Hz apart",
                "Choose fewer mels or a larger n_fft.",
            )

    def _require(self, holds: bool, parameter: str, value: object, rule: str) -> None:
        if not holds:
            raise ConfigError(
                f"encoder 'logmel', parameter {parameter!r}",
                f"is {value}, must {rule}",
                "Change one of them.",
            )

    @property
    def _fmax(self) -> float:
        return self.sample_rate / 2 if self.fmax_hz is None else self.fmax_hz

    @property
    def min_samples(self) -> int:
        """One frame."""
        return self.n_fft

    def output_shape(self, layer: str, samples: int) -> tuple[int, int, int]:
        """(time, bands, filters a band)."""
        check_layers("logmel", (layer,), self.available_layers)
        return 1 + (samples - self.n_fft) // self.hop, self.bands, self.mels // self.bands

    def frame_times(self, samples: int, layer: str | None = None) -> np.ndarray:
        """(time,) seconds: middle of each frame."""
        frames = self.output_shape(self.one_layer(layer), samples)[0]
        return (np.arange(frames) * self.hop + self.n_fft / 2) / self.sample_rate

    def _triangles(self) -> np.ndarray:
        """(mels, n_fft // 2 + 1) weights of the filters."""
        edges = _hz(np.linspace(_mel(self.fmin_hz), _mel(self._fmax), self.mels + 2))
        bins = np.arange(self.n_fft // 2 + 1) * (self.sample_rate / self.n_fft)
        low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
        return np.maximum(0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))

    @cached_property
    def _filters(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Non-zero weights filter after filter, the bin of each, and where each filter begins."""
        filters, bins = np.nonzero(triangles := self._triangles())
        return triangles[filters, bins], bins, np.searchsorted(filters, np.arange(self.mels))

    @cached_property
    def _window(self) -> np.ndarray:
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.n_fft) / self.n_fft)
        return window * (2 / window.sum())

    def _forward(self, waveforms: np.ndarray) -> dict[str, np.ndarray]:
        shape = self.output_shape("logmel", waveforms.shape[1])
        # One clip at a time: bounded memory, and the bits of a clip do not depend on its neighbours.
        clips = [self._clip(waveform).reshape(shape) for waveform in waveforms]
        return {"logmel": np.stack(clips) if clips else np.zeros((0, *shape), np.float32)}

    def _clip(self, waveform: np.ndarray) -> np.ndarray:
        """(samples,) to (time, mels)."""
        weights, bins, starts = self._filters
        frames = np.lib.stride_tricks.sliding_window_view(waveform, self.n_fft)[:: self.hop]
        spectrum = np.fft.rfft(frames * self._window)
        energy = spectrum.real**2 + spectrum.imag**2
        if self.power == 1:
            energy = np.sqrt(energy)
        # Sums in the order of bins: unlike a matrix product, the same bits for any number of threads.
        sums = np.add.reduceat(energy[:, bins] * weights, starts, axis=1)
        floor = 10.0 ** (self.floor_db * self.power / 20)
        return (20 / self.power * np.log10(np.maximum(sums, floor) / floor)).astype(np.float32)


def _mel(hz: float) -> float:
    return hz / HZ_PER_MEL if hz < KNEE_HZ else KNEE_HZ / HZ_PER_MEL + np.log(hz / KNEE_HZ) / LOG_STEP


def _hz(mel: np.ndarray) -> np.ndarray:
    knee = KNEE_HZ / HZ_PER_MEL
    return np.where(mel < knee, mel * HZ_PER_MEL, KNEE_HZ * np.exp(LOG_STEP * (np.maximum(mel, knee) - knee)))
