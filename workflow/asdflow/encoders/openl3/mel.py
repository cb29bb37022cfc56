"""Mel filters of OpenL3's front ends: triangles of equal area on the scale of HTK or of Slaney's toolbox."""

from __future__ import annotations

from typing import Literal

import numpy as np

Scale = Literal["htk", "slaney"]

# Slaney's scale: linear up to the knee, then 27 steps for each factor of 6.4.
KNEE_HZ, HZ_PER_MEL, STEP = 1000.0, 200.0 / 3.0, np.log(6.4) / 27.0


def mel_filters(scale: Scale, bands: int, bins: int, rate: int) -> np.ndarray:
    """(bands, bins) float32 filters between 0 Hz and half the rate, as librosa makes them (`norm="slaney"`).

    Corners are equidistant on the mel scale; edges are straight in Hz; each triangle has area 1 over Hz. A
    triangle between two bins is empty.
    """
    top = rate / 2
    corners = _hertz(np.linspace(0.0, _mel(top, scale), bands + 2), scale)
    hertz = np.linspace(0.0, top, bins)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    triangles = np.maximum(0.0, np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle)))
    return (triangles * (2.0 / (high - low))).astype(np.float32)


def _mel(hertz: float, scale: Scale) -> float:
    """Of a frequency above the knee."""
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hertz / 700.0)
    return KNEE_HZ / HZ_PER_MEL + np.log(hertz / KNEE_HZ) / STEP


def _hertz(mel: np.ndarray, scale: Scale) -> np.ndarray:
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    knee = KNEE_HZ / HZ_PER_MEL
    return np.where(mel < knee, mel * HZ_PER_MEL, KNEE_HZ * np.exp(STEP * (mel - knee)))
