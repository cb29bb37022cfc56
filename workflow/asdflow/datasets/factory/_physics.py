"""What every machine is made of: drifting speed, tones, strikes, modes and shaped noise.

Conventions: a signal has (samples,) float64 at RATE, in arbitrary pressure units in which a machine at its
nominal condition has an RMS of about 1. A *path* is a slow quantity (speed, load, level) at the control rate,
(points(samples),) float64; `fine` brings it to the sample rate. Spectra are those of `scipy.fft.rfft`.
Filters are applied by multiplying spectra, so they are circular: what rings beyond the end of a clip is heard
at its beginning, as though the machine had run before.

Nothing here calls BLAS, whose sums depend on the number of threads; SciPy's FFT runs on one thread unless
told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

RATE = 16_000
"""Sample rate of every clip in Hz, that of DCASE Task 2."""

HIGHEST = 7_600.0
"""Hz. Tones stop here, so that a drifting harmonic never folds back from the Nyquist frequency."""

STRIDE = 160
"""Samples between the points of a path: 10 ms."""

Draw = Callable[[str], np.random.Generator]
"""The random streams of one clip, by purpose."""

Modes = Sequence[tuple[float, float, float]]
"""Modes of a structure: frequency in Hz, damping ratio, strength."""

_POINTS = 512  # of a wave table for each period of its highest harmonic: interpolation errs by -94 dB


@lru_cache(maxsize=4)
def frequencies(samples: int) -> np.ndarray:
    """Frequencies in Hz of the spectrum of a signal of that many samples, (samples // 2 + 1,)."""
    return _shared(np.arange(samples // 2 + 1) * (RATE / samples))


@lru_cache(maxsize=4)
def _squares(samples: int) -> np.ndarray:
    return _shared(frequencies(samples) ** 2)


@lru_cache(maxsize=64)
def curve(samples: int, levels: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Magnitude spectrum through (Hz, dB) points, straight over the logarithm of frequency."""
    at, level = zip(*levels, strict=True)
    octaves = np.log(np.maximum(frequencies(samples), 1.0))
    return _shared(decibel(np.interp(octaves, np.log(at), level)))


def spectrum(signal: np.ndarray) -> np.ndarray:
    """Spectrum of a real signal."""
    from scipy import fft

    return fft.rfft(signal)


def signal(spectrum: np.ndarray, samples: int) -> np.ndarray:
    """The real signal of a spectrum."""
    from scipy import fft

    return fft.irfft(spectrum, samples)


def decibel(level: float | np.ndarray) -> float | np.ndarray:
    """Amplitude factor of a level in dB."""
    return np.exp(np.asarray(level) * (np.log(10) / 20))


def rms(signal: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(signal))))


# Slow quantities


def points(samples: int) -> int:
    """Points of a path that covers a clip."""
    return -(-samples // STRIDE) + 1


def drift(rng: np.random.Generator, samples: int, tau_s: float, spread: float) -> np.ndarray:
    """Path of an Ornstein-Uhlenbeck process around 0, x' = -x / tau + spread sqrt(2 / tau) white noise.

    Parameters
    ----------
    tau_s : float
        Correlation time in seconds: the inertia of rotor and load.
    spread : float
        Standard deviation; the process starts in its stationary state.

    Notes
    -----
    Exact at every point: x[k+1] = a x[k] + spread sqrt(1 - a^2) e[k] with a = exp(-step / tau).
    """
    from scipy.signal import lfilter

    a = np.exp(-STRIDE / RATE / tau_s)
    steps = rng.standard_normal(points(samples))
    steps[1:] *= np.sqrt(1 - a * a)
    return spread * lfilter([1.0], [1.0, -a], steps)


def fine(path: np.ndarray, samples: int) -> np.ndarray:
    """A path at the sample rate, (samples,), linear between its points."""
    share = np.arange(STRIDE) / STRIDE
    return (path[:-1, None] + np.diff(path)[:, None] * share).ravel()[:samples]


def angle(rng: np.random.Generator, rate: np.ndarray | float, samples: int) -> np.ndarray:
    """Angle in radians, (samples,), of what turns at `rate` Hz (a path or a constant), from a random start.

    theta(t) = theta_0 + 2 pi integral of rate: all that is geared to a shaft follows its integrated angle, so
    tones drift with speed and never jump in phase.
    """
    start = 2 * np.pi * rng.random()
    if np.ndim(rate) == 0:
        return start + (2 * np.pi * rate / RATE) * np.arange(samples)
    return start + np.cumsum(fine(rate, samples)) * (2 * np.pi / RATE)


# Tones


def tones(theta: np.ndarray, amplitudes: Sequence[float], phases: np.ndarray | float = 0.0) -> np.ndarray:
    """Harmonic series sum_k A_k cos(k theta + phi_k), k = 1 .. K, by a wave table of one turn."""
    from scipy import fft

    length = 1 << (_POINTS * len(amplitudes) - 1).bit_length()
    coefficients = np.zeros(length // 2 + 1, dtype=complex)
    coefficients[1 : len(amplitudes) + 1] = np.asarray(amplitudes) * np.exp(1j * np.asarray(phases))
    table = fft.irfft(coefficients * (length / 2), length)
    steps = np.diff(table, append=table[:1])
    place = theta * (length / (2 * np.pi))
    whole = np.floor(place)
    index = whole.astype(np.int64) & (length - 1)
    place -= whole
    return table[index] + place * steps[index]


def once(theta: np.ndarray, depth: float, phase: float = 0.0) -> np.ndarray:
    """Modulation once a turn, 1 + depth cos(theta + phase)."""
    return 1 + tones(theta, [depth], phase)


def order_count(highest_fundamental: float) -> int:
    """How many harmonics of a fundamental in Hz fit below `HIGHEST`, at least 1."""
    return max(1, int(HIGHEST // highest_fundamental))


# Structures


def strikes(times: np.ndarray, strengths: np.ndarray, samples: int) -> np.ndarray:
    """Train of unit-area pulses at `times` (events,) seconds, band-limited to the Nyquist frequency.

    A pulse falls between samples, so it is spread by a Hann-windowed sinc of 16 taps; rounding to the next
    sample would add a jitter of its own. Pulses outside the clip are left out.
    """
    position = np.asarray(times, dtype=float) * RATE
    inside = (position >= 0) & (position < samples)
    position, strengths = position[inside], np.asarray(strengths, dtype=float)[inside]
    taps = np.arange(-7, 9)
    start = np.floor(position)
    distance = taps[None, :] - (position - start)[:, None]
    kernel = np.sinc(distance) * (0.5 + 0.5 * np.cos(np.pi * distance / 8))
    where = (start[:, None] + taps[None, :]).astype(np.int64) % samples
    return np.bincount(where.ravel(), (strengths[:, None] * kernel).ravel(), minlength=samples)


def modes(samples: int, bank: Modes) -> np.ndarray:
    """Spectrum of a structure's response to a force; the gain at a mode's frequency is its strength g_i.

    H(f) = sum_i g_i 2 i zeta_i f f_i / (f_i^2 - f^2 + 2 i zeta_i f f_i)
    """
    squares = _squares(samples)
    total = np.zeros(len(squares), dtype=complex)
    for (
        centre,
        damping,
        strength,
    ) in bank:  # i b / (a + i b) = (b^2 + i a b) / (a^2 + b^2), without complex division
        a = centre**2 - squares
        b = 2 * damping * centre * frequencies(samples)
        share = b * (strength / (a * a + b * b))
        total.real += b * share
        total.imag += a * share
    return total


def ring(samples: int, bank: Modes) -> np.ndarray:
    """Spectrum of a structure's response to strikes; a unit pulse makes each mode ring with a peak near g_i.

    h(t) = sum_i g_i exp(-2 pi zeta_i f_i t) sin(2 pi f_i t)
    """
    squares = _squares(samples)
    total = np.zeros(len(squares), dtype=complex)
    for centre, damping, strength in bank:  # c / (a + i b) = c (a - i b) / (a^2 + b^2)
        a = centre**2 - squares
        b = 2 * damping * centre * frequencies(samples)
        share = (strength * RATE * centre / (2 * np.pi)) / (a * a + b * b)
        total.real += a * share
        total.imag -= b * share
    return total


def vary(rng: np.random.Generator, bank: Modes, detune: float, spread_db: float) -> Modes:
    """The modes of one unit: frequencies detuned by a relative SD, strengths by an SD in dB."""
    luck = rng.standard_normal((len(bank), 2))
    return [
        (centre * (1 + detune * luck[i, 0]), damping, strength * float(decibel(spread_db * luck[i, 1])))
        for i, (centre, damping, strength) in enumerate(bank)
    ]


# Noise


def noise(rng: np.random.Generator, magnitude: np.ndarray, samples: int) -> np.ndarray:
    """Stationary Gaussian noise, (samples,), of the given magnitude spectrum, with an expected RMS of 1."""
    return signal(noise_spectrum(rng, magnitude, samples), samples)


def noise_spectrum(rng: np.random.Generator, magnitude: np.ndarray, samples: int) -> np.ndarray:
    """As `noise`, but its spectrum: independent complex normals times `magnitude` (samples // 2 + 1,)."""
    drawn = rng.standard_normal(2 * len(magnitude)).view(complex)
    drawn *= magnitude * (samples / np.sqrt(4 * np.sum(magnitude[1:] ** 2)))
    drawn[0] = 0.0
    if samples % 2 == 0:
        drawn[-1] = 0.0  # the Nyquist bin of a real signal has no imaginary part
    return drawn


def _shared(values: np.ndarray) -> np.ndarray:
    """An array that is handed out more than once must not be written to."""
    values.flags.writeable = False
    return values
