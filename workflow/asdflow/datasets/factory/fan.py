"""Axial fan: blade-pass tones over flow noise, driven by an induction motor. Fault: imbalance of the wheel.

Tones: f_k = k Z n with Z blades and n rev/s; as compact dipoles their pressure grows with tip speed, p ~ n^3.
Flow: trailing-edge noise, p^2 ~ n^5, with a hump at a fixed Strouhal number, so that its frequency ~ n; a
closed damper (load) adds turbulence at low frequency.
Motor: magnetic hum at twice the mains frequency, and rotor-slot lines at R n and R n +- 100 Hz with R bars.

An imbalance U = m e pulls with F = U (2 pi n)^2 once a turn. The housing answers at n and, through the slack
of its mount, at multiples of n. The wheel orbits in its casing, so that the tip gap, and with it tones and
flow noise, vary once a turn: p(t) (1 + d cos theta), which puts sidebands at k Z n +- n. Every fan has a
little of it (its balance grade); the fault adds to it.
"""

from __future__ import annotations

import numpy as np

from asdflow.datasets.factory._clips import Condition
from asdflow.datasets.factory._physics import (
    Draw,
    angle,
    curve,
    decibel,
    drift,
    fine,
    modes,
    noise,
    once,
    order_count,
    signal,
    spectrum,
    tones,
    vary,
)

BLADES = 7
ROTOR_BARS = 28
NOMINAL = 40.0  # rev/s at which the levels below hold
CONDITIONS: dict[str, tuple[Condition, ...]] = {
    "source": tuple({"spd": spd, "load": load} for spd in (2280, 2400, 2520) for load in (40, 60)),
    "target": tuple({"spd": spd, "load": load} for spd in (2580, 2640) for load in (70,)),
}
"""`spd` in revolutions a minute, `load` as closing of the damper in per cent."""

HOUSING = (
    (120.0, 0.06, 0.7),
    (210.0, 0.05, 0.9),
    (420.0, 0.05, 1.0),
    (760.0, 0.04, 0.9),
    (1300.0, 0.04, 0.5),
)
CASING = ((340.0, 0.2, 0.35), (1150.0, 0.15, 0.35), (2600.0, 0.15, 0.35))
HEALTHY = 0.10  # imbalance of a healthy wheel, in units of severity 1
SHAKE, ORBIT = 1.0, 0.3  # of severity 1: level of the housing's answer, depth of the modulation


def sound(condition: Condition, severity: float, draw: Draw, samples: int) -> np.ndarray:
    """Sound at the fan, (samples,). Severity 1 is a marked imbalance."""
    unit = draw("unit")
    slip = 0.004 * unit.standard_normal() + drift(draw("speed"), samples, 2.0, 0.002)
    rate = condition["spd"] / 60 * (1 + slip)
    theta = angle(draw("shaft"), rate, samples)
    relative = rate / NOMINAL
    closed = condition["load"] / 100 - 0.5

    orders = np.arange(1, order_count(BLADES * rate.max()) + 1)
    level = 0.40 * decibel(8 * closed + 1.0 * unit.standard_normal(len(orders))) * orders**-0.9
    blades = tones(BLADES * theta, level, 2 * np.pi * unit.random(len(orders))) * fine(relative**3, samples)

    gusts = drift(draw("turbulence"), samples, 0.3, 0.5)
    flow = noise(draw("flow"), flow_spectrum(condition, samples) * casing(unit, samples), samples)
    flow *= fine(0.7 * relative**2.5 * decibel(4 * closed + gusts), samples)

    eccentric = HEALTHY * unit.rayleigh(0.8) + severity
    phases = 2 * np.pi * unit.random(16)
    shake = tones(theta, np.arange(1, 17) ** -0.5, phases) * fine(SHAKE * eccentric * relative**2, samples)
    shake = signal(spectrum(shake) * modes(samples, vary(unit, HOUSING, 0.01, 1.0)), samples)

    mains = angle(draw("mains"), 100.0, samples)
    hum = tones(mains, 0.06 * decibel(unit.standard_normal()) * np.array([1, 0.5, 0.3, 0.1]))
    slots = tones(
        ROTOR_BARS * theta, 0.06 * decibel(unit.standard_normal()) * np.array([1, 0.4, 0.3, 0.2, 0.2])
    )
    return (blades + flow) * once(theta, ORBIT * eccentric) + shake + hum + slots * once(mains, 1.2)


def flow_spectrum(condition: Condition, samples: int) -> np.ndarray:
    """Magnitude of the flow noise: a hump that moves with the speed; more at low frequency when throttled."""
    scale, closed = condition["spd"] / 60 / NOMINAL, condition["load"] / 100 - 0.5
    hump = ((20, 14 * closed - 7), (120, 6 * closed), (500, 0), (1500, -8), (4000, -20), (8000, -32))
    return curve(samples, tuple((frequency * scale, level) for frequency, level in hump))


def casing(unit: np.random.Generator, samples: int) -> np.ndarray:
    """Gain of the casing's broad resonances."""
    return 1 + np.abs(modes(samples, vary(unit, CASING, 0.01, 1.0)))
