"""Log-mel filter banks as Kaldi computes them, for a whole batch of clips at once.

The arithmetic follows `torchaudio.compliance.kaldi.fbank` (without dither) operation by operation, so the
results are the same bits on the CPU; what differs is that all frames of all clips share each operation.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Window = Literal["povey", "hanning"]

FRAME_S = 0.025
SHIFT_S = 0.010
PREEMPHASIS = 0.97
LOW_HZ = 20.0


def frame_length(sample_rate: int) -> int:
    """Samples of one 25 ms frame."""
    return int(sample_rate * FRAME_S)


def frame_shift(sample_rate: int) -> int:
    """Samples between the starts of two frames, 10 ms."""
    return int(sample_rate * SHIFT_S)


def frame_count(samples: int, sample_rate: int = 16000) -> int:
    """Frames of a clip: only those that lie wholly inside it (Kaldi's `snip_edges`), none when too short."""
    length, shift = frame_length(sample_rate), frame_shift(sample_rate)
    return 0 if samples < length else 1 + (samples - length) // shift


def fbank(
    waveforms: torch.Tensor,
    *,
    sample_rate: int = 16000,
    mel_bins: int = 128,
    window: Window = "povey",
) -> torch.Tensor:
    """Log-mel energies of 25 ms frames every 10 ms.

    For each frame: subtract its mean; x[n] - 0.97 x[n-1] with x[-1] = x[0]; window; zero-pad to a power of
    two; |rfft|^2; triangles on the mel axis; natural logarithm, floored at the float's epsilon.

    Parameters
    ----------
    waveforms : (batch, samples) float tensor
        At `sample_rate`. Kaldi expects the range of 16-bit integers; the scale is left to the caller. The
        result has its type and device.
    window : "povey" or "hanning"
        Symmetric Hann window, to the power 0.85 for "povey".

    Returns
    -------
    (batch, frames, mel_bins) tensor, with `frame_count(samples)` frames (possibly none).
    """
    import torch

    length, shift = frame_length(sample_rate), frame_shift(sample_rate)
    batch, samples = waveforms.shape
    if frame_count(samples, sample_rate) == 0:
        return waveforms.new_empty(batch, 0, mel_bins)
    padded = 1 << (length - 1).bit_length()
    shape_of_window, filters = _constants(
        length, padded, sample_rate, mel_bins, window, waveforms.dtype, waveforms.device
    )
    frames = waveforms.unfold(1, length, shift)
    frames = frames - frames.mean(dim=-1, keepdim=True)
    previous = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
    frames = (frames - PREEMPHASIS * previous) * shape_of_window
    power = torch.fft.rfft(frames, n=padded).abs().pow(2.0)
    energies = power @ filters
    return energies.clamp_min_(torch.finfo(torch.float32).eps).log_()


@lru_cache(maxsize=8)
def _constants(
    length: int,
    padded: int,
    sample_rate: int,
    mel_bins: int,
    window: Window,
    dtype: torch.dtype,
    device: torch.device,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Window (length,) and mel matrix (bins of the spectrum, mel_bins) on a device."""
    import torch

    hann = torch.hann_window(length, periodic=False, dtype=torch.float32)
    shape = hann.pow(0.85) if window == "povey" else hann
    filters = torch.nn.functional.pad(mel_filters(mel_bins, padded, sample_rate), (0, 1)).T
    return shape.to(device, dtype), filters.to(device, dtype)


def mel_filters(mel_bins: int, padded: int, sample_rate: int) -> torch.Tensor:
    """(mel_bins, padded // 2) float32 triangles between 20 Hz and half the rate.

    They are equidistant and linear on 1127 ln(1 + f / 700). The last bin of the spectrum, at half the rate,
    belongs to none.
    """
    import torch

    low, high = (1127.0 * math.log(1.0 + hertz / 700.0) for hertz in (LOW_HZ, 0.5 * sample_rate))
    step = (high - low) / (mel_bins + 1)
    band = torch.arange(mel_bins).unsqueeze(1)
    left, centre, right = (low + (band + offset) * step for offset in (0.0, 1.0, 2.0))
    hertz = sample_rate / padded * torch.arange(padded // 2)
    mel = 1127.0 * (1.0 + hertz / 700.0).log().unsqueeze(0)
    up = (mel - left) / (centre - left)
    down = (right - mel) / (right - centre)
    return torch.minimum(up, down).clamp_min(0.0)
