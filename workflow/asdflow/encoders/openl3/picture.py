"""From a waveform at 48 kHz to the pictures that the network sees, one for each second's window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from asdflow.encoders.openl3.mel import mel_filters

if TYPE_CHECKING:
    import torch

Kind = Literal["mel128", "mel256", "linear"]
FrontEnd = Literal["v03", "v04", "v04librosa"]

RATE = 48000  # Hz
WINDOW = 48000  # samples that one picture shows
SHIFT = 242  # samples from frame to frame
BANDS = {"mel128": 128, "mel256": 256, "linear": 257}
FRAME = {"mel128": 2048, "mel256": 2048, "linear": 512}
# Zeros before and after a window, so that a mel picture has 199 frames; a linear one has none, and 197.
PADDING = {"v03": (982, 982), "v04": (0, 1964), "v04librosa": (1024, 1024)}
SMALLEST, RANGE_DB = 1e-10, 80.0


def window_count(samples: int, hop: int, center: bool) -> int:
    """Windows of a clip of that many samples at 48 kHz; the last one is filled up with zeros."""
    samples += WINDOW // 2 if center else 0
    return 1 + -(-max(0, samples - WINDOW) // hop)


def windows(waveform: torch.Tensor, hop: int, center: bool) -> torch.Tensor:
    """(samples,) to (windows, 48000), a view of the clip with zeros on both sides."""
    from torch.nn.functional import pad

    before = WINDOW // 2 if center else 0
    total = WINDOW + (window_count(len(waveform), hop, center) - 1) * hop
    return pad(waveform, (before, total - before - len(waveform))).unfold(0, WINDOW, hop)


def filters(kind: Kind, front_end: FrontEnd, stored: np.ndarray | None = None) -> np.ndarray | None:
    """(bands, bins) mel matrix, None for `linear`. `stored` is the one in the file of weights, for v03."""
    if kind == "linear":
        return None
    if front_end == "v03" and stored is not None:
        return stored
    bins = FRAME[kind] // 2 + 1
    return mel_filters("htk" if front_end == "v03" else "slaney", BANDS[kind], bins, RATE)


def pictures(
    windows: torch.Tensor, kind: Kind, front_end: FrontEnd, mel: torch.Tensor | None
) -> torch.Tensor:
    """(windows, 48000) to (windows, bands, frames) decibels below the picture's maximum, in [-80, 0].

    Periodic Hann window, no removal of the mean. Amplitudes a: v03 takes the root of the mel sum of power,
    v04 the mel sum of magnitudes, `linear` the magnitudes. Then 10 log10 a (ten though a is an amplitude, so
    the range is eight decades of it), less the largest value of the whole picture. An all-zero window is 0
    everywhere.

    The spectrum is float64, as single bins near -80 dB depend on the rounding of the transform.

    Parameters
    ----------
    mel : (bins, bands) tensor, None for `linear`; the result has the type of the windows, and mel that too
    """
    import torch

    hann = torch.hann_window(FRAME[kind], periodic=True, dtype=torch.float64, device=windows.device)
    # One window at a time: its spectrum stays in the cache, and takes half as long.
    level = torch.stack([_amplitudes(window, kind, front_end, mel, hann) for window in windows])
    level = 10.0 * level.clamp_min(SMALLEST).log10()
    level = level - level.amax(dim=(1, 2), keepdim=True)
    return level.clamp_min(-RANGE_DB).transpose(1, 2)


def _amplitudes(
    window: torch.Tensor, kind: Kind, front_end: FrontEnd, mel: torch.Tensor | None, hann: torch.Tensor
) -> torch.Tensor:
    """(48000,) to (frames, bands)."""
    import torch

    x = window.double()
    if kind != "linear":
        x = torch.nn.functional.pad(x, PADDING[front_end])
    spectrum = torch.fft.rfft(x.unfold(0, len(hann), SHIFT) * hann)
    if kind == "linear":
        return spectrum.abs().to(window.dtype)
    if front_end == "v03":
        power = spectrum.real.square() + spectrum.imag.square()
        return (power.to(mel.dtype) @ mel).sqrt()
    return spectrum.abs().to(mel.dtype) @ mel
