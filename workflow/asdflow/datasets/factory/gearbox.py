"""Two-stage gearbox: mesh tones with shaft-rate sidebands. Fault: a cracked tooth of the input pinion.

Mesh: f_m = Z1 f_1 and its harmonics, Z1 teeth turning at f_1 rev/s; the next stage meshes at Z3 f_2 with
f_2 = f_1 Z1 / Z2. The force is the transmission error, which grows with the torque: A ~ 0.3 + 0.7 T.
Eccentric wheels modulate amplitude and phase of the mesh once a turn,
x(t) = sum_k A_k (1 + m_1 cos theta_1 + m_2 cos theta_2) cos(k (Z1 theta_1 + b sin theta_1)),
which gives sidebands at k f_m +- j f_1 and +- j f_2. Teeth slide and rattle: noise modulated by the mesh,
more of it at low torque.

A cracked tooth is softer. While it carries, for about one tooth pitch once a turn of the pinion, the mesh
loses amplitude and lags in phase; then the next tooth takes the load with a knock that rings the housing:
A -> A (1 - 0.6 s g), phase -> phase - 1.2 s g, knock ~ s T, with severity s and a Gaussian g one pitch wide.
(P. D. McFadden, "Detecting fatigue cracks in gears by amplitude and phase demodulation of the meshing
vibration", J. Vib. Acoust. 108, 1986.)
"""

from __future__ import annotations

import numpy as np

from asdflow.datasets.factory._clips import Condition
from asdflow.datasets.factory._physics import (
    RATE,
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
    strikes,
    tones,
    vary,
)

TEETH = (21, 55, 17)  # input pinion, its wheel, pinion of the second stage
NOMINAL = 25.0  # rev/s
CONDITIONS: dict[str, tuple[Condition, ...]] = {
    "source": tuple({"spd": spd, "trq": trq} for spd in (1380, 1440, 1500) for trq in (6, 9)),
    "target": tuple({"spd": spd, "trq": trq} for spd in (1560, 1620) for trq in (11,)),
}
"""`spd` of the input in revolutions a minute, `trq` its torque in N m."""

HOUSING = (
    (320.0, 0.04, 0.6),
    (690.0, 0.04, 1.0),
    (1350.0, 0.03, 1.0),
    (2250.0, 0.03, 0.7),
    (3600.0, 0.03, 0.5),
)
SLIDING = ((50, -6), (300, 0), (2000, 0), (8000, -10))
WINDAGE = ((50, 0), (500, 0), (8000, -20))
SOFTENING, LAG, KNOCK = 0.6, 1.2, 36.0  # of severity 1


def sound(condition: Condition, severity: float, draw: Draw, samples: int) -> np.ndarray:
    """Sound at the gearbox, (samples,). Severity 1 is a crack through most of the tooth's root."""
    unit = draw("unit")
    torque = condition["trq"] / 9 * (1 + drift(draw("load"), samples, 1.0, 0.06))
    slip = 0.004 * unit.standard_normal() + drift(draw("speed"), samples, 3.0, 0.002) - 0.01 * (torque - 1)
    rate = condition["spd"] / 60 * (1 + slip)
    relative = rate / NOMINAL
    pinion = angle(draw("pinion"), rate, samples)
    wheel = pinion * (TEETH[0] / TEETH[1])
    housing = vary(unit, HOUSING, 0.01, 1.0)

    cracked = 2 * np.pi * unit.random()  # where on the pinion the tooth is
    soft = severity * pulse(pinion - cracked)
    depth = 0.12 * decibel(2 * unit.standard_normal(2))
    swing = 0.15 * decibel(2 * unit.standard_normal())
    orders = np.arange(1, order_count(1.05 * TEETH[0] * rate.max()) + 1)
    level = orders**-0.9 * decibel(1.0 * unit.standard_normal(len(orders)))
    place = TEETH[0] * pinion + tones(pinion, [swing], -np.pi / 2) - LAG * soft
    first = tones(place, level, 2 * np.pi * unit.random(len(orders)))
    first *= (once(pinion, depth[0]) + tones(wheel, [depth[1]])) * (1 - SOFTENING * soft)
    second = tones(TEETH[2] * wheel, 0.5 / np.arange(1, 11), 2 * np.pi * unit.random(10)) * once(wheel, 0.1)
    force = (first + second) * fine(0.8 * (0.3 + 0.7 * torque) * relative, samples)

    loose = decibel(2 * (1 - torque) + drift(draw("rattle"), samples, 0.2, 1.0))
    sliding = noise(draw("sliding"), curve(samples, SLIDING), samples) * once(TEETH[0] * pinion, 0.4)
    force += sliding * fine(relative * loose, samples)

    when = turns(pinion, cracked + np.pi / TEETH[0])
    knock = KNOCK * severity * torque.mean() * draw("knock").lognormal(0.0, 0.25, len(when))
    answer = modes(samples, housing)
    body = spectrum(force) * (answer + 0.15) + spectrum(strikes(when, knock, samples)) * answer

    hum = tones(angle(draw("mains"), 100.0, samples), 0.08 * np.array([1, 0.5, 0.3, 0.1]))
    windage = noise(draw("windage"), curve(samples, WINDAGE), samples) * fine(0.25 * relative**2.5, samples)
    return signal(body, samples) + hum + windage


def pulse(theta: np.ndarray) -> np.ndarray:
    """Gaussian in angle around every whole turn, one tooth pitch wide."""
    apart = (theta + np.pi) % (2 * np.pi) - np.pi
    return np.exp(-0.5 * (apart * (TEETH[0] / np.pi)) ** 2)


def turns(theta: np.ndarray, mark: float) -> np.ndarray:
    """Times in s at which a shaft passes the angle `mark`."""
    first, last = np.ceil((theta[0] - mark) / (2 * np.pi)), np.floor((theta[-1] - mark) / (2 * np.pi))
    return np.interp(mark + 2 * np.pi * np.arange(first, last + 1), theta, np.arange(len(theta)) / RATE)
