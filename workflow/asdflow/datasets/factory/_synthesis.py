"""From a clip's identity to its samples: machine, room, background, level."""

from __future__ import annotations

from functools import partial

import numpy as np

from asdflow.datasets.factory import bearing, fan, gearbox, slider, valve
from asdflow.datasets.factory._clips import Clip, condition
from asdflow.datasets.factory._installation import installation
from asdflow.datasets.factory._physics import decibel, rms

MACHINES = {"bearing": bearing, "fan": fan, "gearbox": gearbox, "slider": slider, "valve": valve}
"""Machines that can be simulated. A module lists its CONDITIONS by domain and computes `sound`."""

LEVEL_DB = -36.0  # of a machine of unit RMS at the microphone, dB of full scale: as quiet as DCASE's
LEVEL_SPREAD_DB = 1.0  # gain of the recorder, from clip to clip


def operating(clip: Clip, seed: int) -> dict[str, float]:
    """Operating condition of a clip, attribute to value."""
    return dict(condition(MACHINES[clip.machine].CONDITIONS, clip, seed))


def machine_sound(clip: Clip, seed: int, samples: int, severity: float) -> np.ndarray:
    """The machine alone as the microphone hears it, (samples,)."""
    dry = MACHINES[clip.machine].sound(operating(clip, seed), severity, partial(clip.draw, seed), samples)
    place = installation(seed, clip.machine, clip.domain, samples)
    return place.machine(clip.draw(seed, "placement"), dry)


def background(clip: Clip, seed: int, samples: int) -> np.ndarray:
    """The hall alone as the microphone hears it, (samples,), RMS 1."""
    place = installation(seed, clip.machine, clip.domain, samples)
    return place.background(clip.draw(seed, "background"))


def waveform(clip: Clip, seed: int, samples: int, snr_db: float, severity: float) -> np.ndarray:
    """Samples of one clip in [-1, 1], (samples,) float64.

    x = g (machine + b background), b such that the clip's machine in health has

    SNR = 10 log10(mean machine^2 / mean (b background)^2).

    A fault changes the machine alone: background and gains are those of the healthy twin, which is the same
    clip at severity 0.
    """
    healthy = machine_sound(clip, seed, samples, 0.0)
    machine = healthy if severity == 0 else machine_sound(clip, seed, samples, severity)
    noise = background(clip, seed, samples) * (rms(healthy) * decibel(-snr_db))
    gain = decibel(LEVEL_DB + LEVEL_SPREAD_DB * clip.draw(seed, "gain").standard_normal())
    return np.clip(gain * (machine + noise), -1.0, 1.0)
