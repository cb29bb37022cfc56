"""What is measured of a clip when its file is checked, block by block."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from asdflow.audio.clipping import COARSE, FlatTops, FullScale, full_scale
from asdflow.audio.files import AudioFile


@dataclass(frozen=True)
class Measurement:
    """Of one clip, over all its channels, at the file's rate and recorded level.

    Parameters
    ----------
    samples : int
        Of each channel.
    peak, rms : float
        Largest magnitude and root mean square, full scale 1.
    means, deviations : tuple of float
        Mean and standard deviation of each channel.
    clipped : int
        Samples in runs of at least three at full scale; fewer are a peak that just reached it.
    flat : int
        Samples in flat tops below full scale (`asdflow.audio.clipping`).
    digest : bytes
        Of rate, channels and samples: equal for equal sound, whatever the file's name and format.
    """

    samples: int
    peak: float
    rms: float
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    clipped: int
    flat: int
    digest: bytes


def measure(file: AudioFile, start: int, count: int) -> Measurement:
    """Measure frames [start, start + count). Raises DataError as `AudioFile.blocks`.

    Memory does not grow with the length of the clip. Sums are taken relative to the first sample, so that an
    offset does not cost the digits of a quiet signal, and a constant signal deviates by exactly 0.
    """
    digest = hashlib.blake2b(f"{file.rate} {file.channels}\n".encode(), digest_size=16)
    peak, total = 0.0, np.zeros(file.channels)
    squares, offset_sum, offset_squares = 0.0, np.zeros(file.channels), np.zeros(file.channels)
    first: np.ndarray | None = None
    full = FullScale(file.channels, full_scale(file.subtype))
    coarse = file.subtype in COARSE
    tops = [] if coarse else [(c, FlatTops(sign)) for c in range(file.channels) for sign in (1, -1)]
    for block in file.blocks(start, count):
        digest.update(np.ascontiguousarray(block).tobytes())
        magnitude = np.abs(block)
        peak = max(peak, float(magnitude.max()))
        squares += float((block**2).sum())
        total += block.sum(axis=0)
        first = block[0].copy() if first is None else first
        offset = block - first
        offset_sum += offset.sum(axis=0)
        offset_squares += (offset**2).sum(axis=0)
        full.add(block)
        for channel, top in tops:
            top.add(block[:, channel])
    means = total / count
    variance = np.maximum(offset_squares / count - (offset_sum / count) ** 2, 0.0)
    return Measurement(
        samples=count,
        peak=_rounded(peak),
        rms=_rounded(np.sqrt(squares / (count * file.channels))),
        means=tuple(map(float, means)),
        deviations=tuple(map(float, np.sqrt(variance))),
        clipped=full.samples,
        flat=sum(top.samples for _, top in tops),
        digest=digest.digest(),
    )


def _rounded(value: float) -> float:
    """Nine digits: what is left when machines add in another order."""
    return float(f"{value:.9g}")
