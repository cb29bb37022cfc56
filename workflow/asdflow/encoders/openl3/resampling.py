"""The resampler that OpenL3's pictures were made with: resampy 0.2's windowed sinc.

Above half the recording's rate a picture shows the stop band of the filter, so the filter is a part of the
encoder. This one interpolates its table and drops the outermost tap of each side at fractional positions, as
resampy does: 2e-7 from it. torchaudio's with the same window is 2e-4 away (kaiser_fast: 2e-3), and takes
124 ms for 10 s where this takes 26.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import torch

Filter = Literal["kaiser_best", "kaiser_fast"]

# Zero crossings on each side, cutoff as a share of the Nyquist frequency, and Kaiser's beta.
FILTERS = {
    "kaiser_best": (64, 0.9475937167399596, 14.769656459379492),
    "kaiser_fast": (16, 0.85, 8.555504641634386),
}
PRECISION = 512  # entries of the filter's table between two zero crossings
ROWS = 8192  # outputs of one phase at a time: bounded memory


def resampled_samples(samples: int, from_hz: int, to_hz: int) -> int:
    """Length of `resample`'s result."""
    return samples * to_hz // from_hz


def resample(waveform: torch.Tensor, from_hz: int, to_hz: int, kind: Filter) -> torch.Tensor:
    """(samples,) to (samples x to_hz // from_hz,), for to_hz >= from_hz; silence on both sides.

    Sums are float64, the result has the type of the waveform.
    """
    import torch

    if from_hz == to_hz:
        return waveform
    divisor = gcd(from_hz, to_hz)
    up, down = to_hz // divisor, from_hz // divisor
    taps, first, starts = phase_filters(up, down, kind)
    filters = torch.from_numpy(taps).to(waveform.device)
    count = resampled_samples(len(waveform), from_hz, to_hz)
    turns = -(-count // up)  # every turn gives one output of each phase and moves on by `down` inputs
    after = (turns - 1) * down + int(starts.max()) + first + taps.shape[1] - len(waveform)
    padded = torch.nn.functional.pad(waveform.double(), (-first, max(0, after)))
    pieces = [
        padded[int(start) :].unfold(0, taps.shape[1], down)[:turns].split(ROWS) for start in starts.tolist()
    ]
    phases = [
        torch.cat([piece @ row for piece in column]) for column, row in zip(pieces, filters, strict=True)
    ]
    return torch.stack(phases, dim=1).reshape(-1)[:count].to(waveform.dtype)


@lru_cache(maxsize=4)
def phase_filters(up: int, down: int, kind: Filter) -> tuple[np.ndarray, int, np.ndarray]:
    """Weights of the inputs of each of the `up` phases.

    Output t = q up + p lies at input position q down + p down / up. Its value is the sum over j of
    taps[p, j] x[q down + starts[p] + first + j].

    Returns
    -------
    taps : (up, width) float64
    first : int
        Offset of the first tap, negative.
    starts : (up,) int
        Whole inputs from the beginning of a turn to each phase.
    """
    crossings = FILTERS[kind][0]
    table = _half_window(kind)
    steps = np.append(np.diff(table), 0.0)  # the entry after the last counts as the last
    width = crossings + 2
    taps = np.zeros((up, 2 * width))
    starts, rests = np.divmod(np.arange(up) * down, up)
    for phase, rest in enumerate(rests / up):
        for fraction, side in ((rest, "left"), (1.0 - rest, "right")):
            offset = int(fraction * PRECISION)
            used = (len(table) - offset) // PRECISION
            entries = offset + PRECISION * np.arange(used)
            weights = table[entries] + (fraction * PRECISION - offset) * steps[entries]
            if side == "left":  # x[m], x[m - 1], ...
                taps[phase, width - np.arange(used)] = weights
            else:  # x[m + 1], x[m + 2], ...
                taps[phase, width + 1 + np.arange(used)] = weights
    return taps, -width, starts


def _half_window(kind: Filter) -> np.ndarray:
    """(512 x crossings + 1,) right half of the windowed sinc, from its middle."""
    crossings, rolloff, beta = FILTERS[kind]
    count = PRECISION * crossings
    sinc = rolloff * np.sinc(rolloff * np.arange(count + 1) / PRECISION)
    return sinc * np.kaiser(2 * count + 1, beta)[count:]
