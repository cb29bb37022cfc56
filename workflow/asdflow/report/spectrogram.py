"""Spectrogram pictures: short-time spectra in decibels on a mel axis, as small PNGs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from asdflow.report._png import indexed_png

FLOOR_DB = 60.0  # below the loudest cell of the machine's clips
SHADES = 48
# Dark to bright, each about as much brighter than the one before (lightness of OKLab rises evenly).
_ANCHORS = ((13, 14, 27), (58, 22, 94), (134, 36, 108), (208, 68, 82), (247, 133, 62), (253, 236, 172))


def mel_spectrogram(waveform: np.ndarray, rate: int, width: int = 320, bands: int = 96) -> np.ndarray:
    """Power in mel bands, decibels.

    Parameters
    ----------
    waveform : (samples,) float
    rate : int
        Hz.
    width : int
        Time steps, evenly spaced over the clip; a step is the mean power of what lies in it.
    bands : int
        Triangular filters of equal width on the mel scale from 0 to rate / 2.

    Returns
    -------
    (bands, width) float64, lowest band first. Silence is -200 dB.
    """
    size = max(64, 1 << round(np.log2(0.064 * rate)))  # 64 ms: partials of slow machines stay apart
    padded = np.pad(np.asarray(waveform, np.float64), size // 2)
    hop = max(1, min(size // 4, len(waveform) // (2 * width)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    weights = _filters(size, rate, bands)
    window = np.hanning(size + 1)[:-1]
    power = np.empty((len(frames), bands))
    for start in range(0, len(frames), 512):  # bounded memory
        spectrum = np.abs(np.fft.rfft(frames[start : start + 512] * window, axis=1)) ** 2
        power[start : start + 512] = spectrum @ weights.T
    edges = np.linspace(0, len(power), width + 1).astype(int)
    columns = [power[a : max(a + 1, b)].mean(axis=0) for a, b in pairwise(edges)]
    return 10.0 * np.log10(np.maximum(np.array(columns).T, 1e-20))


def picture(decibels: np.ndarray, loudest: float) -> bytes:
    """PNG of a spectrogram; `loudest` (dB) is the brightest colour, `FLOOR_DB` below it the darkest."""
    share = np.clip((decibels - loudest + FLOOR_DB) / FLOOR_DB, 0.0, 1.0)
    index = np.minimum((share * SHADES).astype(int), SHADES - 1).astype(np.uint8)
    return indexed_png(index[::-1], palette())


def palette() -> np.ndarray:
    """(SHADES, 3) uint8, dark to bright."""
    place = np.linspace(0, len(_ANCHORS) - 1, SHADES)
    anchors = np.array(_ANCHORS, float)
    low = np.minimum(place.astype(int), len(_ANCHORS) - 2)
    part = (place - low)[:, None]
    return np.rint(anchors[low] * (1 - part) + anchors[low + 1] * part).astype(np.uint8)


def frequency_ticks(rate: int) -> list[tuple[float, str]]:
    """Labels of the frequency axis: height in [0, 1] from the bottom, and text."""
    top = _mel(rate / 2)
    wanted = (500, 1000, 2000, 4000, 8000, 16000)
    ticks = [(float(_mel(hertz) / top), f"{hertz / 1000:g}") for hertz in wanted if hertz < 0.93 * rate / 2]
    return [(0.0, "0"), *ticks]


def _mel(hertz):
    """O'Shaughnessy 1987."""
    return 2595.0 * np.log10(1.0 + np.asarray(hertz) / 700.0)


def _filters(size: int, rate: int, bands: int) -> np.ndarray:
    """(bands, size // 2 + 1) triangles of unit sum; a band between two bins takes the nearer one."""
    centres = 700.0 * (10.0 ** (np.linspace(0, _mel(rate / 2), bands + 2) / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(size, 1.0 / rate)
    low, middle, high = (centres[i : len(centres) - 2 + i, None] for i in range(3))
    rise, fall = (bins - low) / (middle - low), (high - bins) / (high - middle)
    weights = np.maximum(0.0, np.minimum(rise, fall))
    empty = weights.sum(axis=1) == 0
    weights[empty, np.abs(bins - middle[empty]).argmin(axis=1)] = 1.0
    return weights / weights.sum(axis=1, keepdims=True)
