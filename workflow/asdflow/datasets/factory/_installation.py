"""Where a machine is recorded: room, microphone and background of the source and of the target domain.

An installation is fixed for a machine and a domain; only placement and mixture of the background vary from
clip to clip. The target domain is another hall: microphone further away and of another make, longer
reverberation, other hum, ventilation, neighbours and impacts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from asdflow.datasets.factory._physics import (
    RATE,
    angle,
    curve,
    decibel,
    drift,
    fine,
    frequencies,
    noise_spectrum,
    rms,
    signal,
    spectrum,
    strikes,
    tones,
)
from asdflow.foundation.seeds import generator


@dataclass(frozen=True)
class Hall:
    """What a domain's hall and microphone are.

    Parameters
    ----------
    microphone : tuple of (Hz, dB)
        Magnitude of the microphone.
    gain_db : float
        Gain of the recorder.
    distance_m : float
        Machine to microphone. Air absorbs 0.02 (f / kHz)^1.5 dB a metre, roughly ISO 9613-1 at 20 degrees.
    reverberation_s : float
        Time in which the late sound falls by 60 dB (RT60).
    direct_db : float
        Level of the direct sound over the reverberant one.
    ventilation : tuple of (Hz, dB)
        Spectrum of the steady noise, per Hz.
    neighbour_hz : float
        Shaft rate of a distant machine, heard as harmonics.
    mix_db : tuple of four floats
        Levels of hum, ventilation, neighbour and impacts.
    impacts_per_s : float
        Rate of distant clanks (Poisson).
    """

    microphone: tuple[tuple[float, float], ...]
    gain_db: float
    distance_m: float
    reverberation_s: float
    direct_db: float
    ventilation: tuple[tuple[float, float], ...]
    neighbour_hz: float
    mix_db: tuple[float, float, float, float]
    impacts_per_s: float


HALLS = {
    "source": Hall(
        microphone=((20, -18), (70, -3), (150, 0), (2000, 0), (5000, 2), (8000, -2)),
        gain_db=0.0,
        distance_m=0.5,
        reverberation_s=0.35,
        direct_db=9.0,
        ventilation=((20, 6), (100, 3), (1000, -7), (8000, -16)),
        neighbour_hz=24.3,
        mix_db=(-10.0, 0.0, -8.0, -10.0),
        impacts_per_s=0.5,
    ),
    "target": Hall(
        microphone=((20, -12), (60, 0), (400, 1), (1500, -1), (4000, -3), (8000, -8)),
        gain_db=-3.0,
        distance_m=1.5,
        reverberation_s=0.7,
        direct_db=4.0,
        ventilation=((20, 8), (80, 5), (400, -4), (2500, -8), (8000, -20)),
        neighbour_hz=16.4,
        mix_db=(-7.0, 0.0, -6.0, -9.0),
        impacts_per_s=0.8,
    ),
}

_MAINS = 50.0  # Hz
_SOUND = 343.0  # m/s
_HUM = (0.5, 1.0, 0.2, 0.5, 0.05, 0.3, 0.0, 0.2)  # transformers: the even harmonics of the mains
_MIX_SPREAD_DB = 1.0  # of each part of the background, from clip to clip
_TILT_SPREAD_DB = 0.25  # per octave: the microphone is never put back exactly
_DISTANT = ((50, -20), (300, 0), (1200, 0), (8000, -24))  # colour of what is far away


class Installation:
    """Room and microphone of one machine in one domain, for clips of one length."""

    def __init__(self, seed: int, machine: str, domain: str, samples: int) -> None:
        self.hall, self.samples = HALLS[domain], samples
        freqs = frequencies(samples)
        rng = generator("factory", seed, machine, domain, "installation")
        microphone = curve(samples, self.hall.microphone)
        air = decibel(-0.02 * self.hall.distance_m * (freqs / 1000) ** 1.5)
        late = decibel(-self.hall.direct_db) * self._late(rng)
        self._machine = decibel(self.hall.gain_db) * microphone * air * (self._early(rng) + late)
        self._ventilation = microphone * curve(samples, self.hall.ventilation)
        self._distant = microphone * curve(samples, _DISTANT) * self._late(rng)
        self._octaves = np.log2(np.maximum(freqs, 20.0) / 1000)

    def machine(self, rng: np.random.Generator, sound: np.ndarray) -> np.ndarray:
        """The machine as the microphone hears it. `sound` (samples,) is that at the machine."""
        tilt = decibel(_TILT_SPREAD_DB * rng.standard_normal() * self._octaves)
        return signal(spectrum(sound) * (self._machine * tilt), self.samples)

    def background(self, rng: np.random.Generator) -> np.ndarray:
        """The hall without the machine: hum, air, a distant machine, impacts; (samples,), RMS 1."""
        hall, samples = self.hall, self.samples
        hum_level, steady, machine, impact = decibel(
            np.array(hall.mix_db) + _MIX_SPREAD_DB * rng.standard_normal(4)
        )
        hum = tones(angle(rng, _MAINS, samples), _HUM) * (hum_level / 0.9)
        shaft = hall.neighbour_hz * (1 + 0.01 * rng.standard_normal() + drift(rng, samples, 4.0, 0.004))
        orders = np.arange(1, 31) ** -0.5 * decibel(2 * rng.standard_normal(30))
        near = tones(angle(rng, shaft, samples), orders, 2 * np.pi * rng.random(30)) * (machine / 1.4)
        near *= fine(decibel(drift(rng, samples, 1.0, 1.5)), samples)
        seconds = samples / RATE
        count = rng.poisson(hall.impacts_per_s * seconds)
        near += strikes(
            rng.random(count) * seconds,
            1.5 * np.sqrt(RATE) * impact * rng.lognormal(0.0, 0.7, count),
            samples,
        )
        total = spectrum(near) * self._distant
        total += noise_spectrum(rng, self._ventilation, samples) * steady
        total = signal(total, samples) + hum
        return total / rms(total)

    def _early(self, rng: np.random.Generator) -> np.ndarray:
        """Direct sound and its reflections from the floor and a wall."""
        total = np.ones(self.samples // 2 + 1, dtype=complex)
        for longer, loss in zip(self.hall.distance_m * rng.uniform(0.4, 1.6, 2), (0.45, 0.3), strict=True):
            total += loss * np.exp(-2j * np.pi * frequencies(self.samples) * (longer / _SOUND))
        return total

    def _late(self, rng: np.random.Generator) -> np.ndarray:
        """Late reverberation of unit energy: noise that falls by 60 dB in the reverberation time."""
        count = min(self.samples, round(self.hall.reverberation_s * RATE))
        tail = np.zeros(self.samples)
        tail[:count] = rng.standard_normal(count) * np.exp(-3 * np.log(10) * np.arange(count) / count)
        return spectrum(tail / np.sqrt(np.sum(tail**2)))


@lru_cache(maxsize=4)
def installation(seed: int, machine: str, domain: str, samples: int) -> Installation:
    """The installation, computed once for the clips that share it."""
    return Installation(seed, machine, domain, samples)
