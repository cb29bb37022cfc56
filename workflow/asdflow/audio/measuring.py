"""What is measured of a clip when its file is checked, block by block."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

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
    digest : bytes
        Of rate, channels and samples: equal for equal sound, whatever the file's name and format.
    """

    samples: int
    peak: float
    rms: float
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    clipped: int
    digest: bytes


def measure(file: AudioFile, start: int, count: int) -> Measurement:
    """Measure frames [start, start + count). Raises DataError as `AudioFile.blocks`.

    Memory does not grow with the length of the clip. Sums are taken relative to the first sample, so that an
    offset does not cost the digits of a quiet signal, and a constant signal deviates by exactly 0.
    """
    digest = hashlib.blake2b(f"{file.rate} {file.channels}\n".encode(), digest_size=16)
    peak, clipped, total = 0.0, 0, np.zeros(file.channels)
    squares, offset_sum, offset_squares = 0.0, np.zeros(file.channels), np.zeros(file.channels)
    first: np.ndarray | None = None
    full = np.zeros((3, file.channels), dtype=bool)
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
        full = np.concatenate([full[-3:], magnitude >= file.full_scale])
        clipped += _in_new_runs(full)
    means = total / count
    variance = np.maximum(offset_squares / count - (offset_sum / count) ** 2, 0.0)
    return Measurement(
        samples=count,
        peak=_rounded(peak),
        rms=_rounded(np.sqrt(squares / (count * file.channels))),
        means=tuple(map(float, means)),
        deviations=tuple(map(float, np.sqrt(variance))),
        clipped=clipped,
        digest=digest.digest(),
    )


def _in_new_runs(full: np.ndarray) -> int:
    """Samples in runs of three or more, counted as they come to light after the three rows carried over.

    A run of n samples has n - 2 places where three in a row are full, and one where that begins.
    """
    triple = full[2:] & full[1:-1] & full[:-2]
    begins = triple[1:] & ~triple[:-1]
    return int(triple[1:].sum() + 2 * begins.sum())


def _rounded(value: float) -> float:
    """Nine digits: what is left when machines add in another order."""
    return float(f"{value:.9g}")
