"""Ball bearing on a driven shaft: rolling noise; resonances struck at the ball-pass rate by a race defect.

Geometry (n balls of diameter d on a pitch circle D, contact angle a, shaft at f_r rev/s) gives
outer race  BPFO = n/2 f_r (1 - d/D cos a)
inner race  BPFI = n/2 f_r (1 + d/D cos a)
ball spin   BSF  = D/(2d) f_r (1 - (d/D cos a)^2)
cage        FTF  = 1/2 f_r (1 - d/D cos a)

Rolling noise excites the resonances at random, grows with speed and load, and breathes with the cage (FTF). A
defect of severity s strikes them each time a ball passes. Balls slip, so a gap is T (1 + 0.015 e): the phase
is a random walk, which smears the higher harmonics (J. Antoni & R. B. Randall, "A stochastic model for
simulation and diagnostics of rolling element bearings with localized faults", J. Vib. Acoust. 125, 2003). A
strike is as strong as load and speed make it; a defect of the inner race passes through the load zone once a
turn, 1 + 0.8 cos theta. Which race is hurt is drawn for each clip.
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
    ring,
    signal,
    spectrum,
    strikes,
    tones,
    vary,
)

BALLS, BALL_MM, PITCH_MM, CONTACT_RAD = 9, 7.94, 39.04, 0.0  # a 6205 deep-groove bearing
NOMINAL = 20.0  # rev/s
CONDITIONS: dict[str, tuple[Condition, ...]] = {
    "source": tuple({"vel": vel, "load": load} for vel in (18, 20, 22) for load in (2, 3)),
    "target": tuple({"vel": vel, "load": load} for vel in (23, 25) for load in (4,)),
}
"""`vel` in revolutions a second, `load` in kN."""

RESONANCES = ((980.0, 0.03, 0.5), (2300.0, 0.03, 0.9), (3700.0, 0.03, 1.0), (5600.0, 0.03, 0.6))
ROLLING = ((50, 0), (1000, 0), (8000, -6))
RUMBLE = ((20, 0), (100, 0), (400, -12), (8000, -50))
SLIP, STRIKE = 0.015, 1.1  # jitter of a gap; strength of a strike at severity 1


def ball_pass(rate: float) -> dict[str, float]:
    """Frequencies in Hz at a shaft rate in rev/s: bpfo, bpfi, bsf, ftf."""
    ratio = BALL_MM / PITCH_MM * np.cos(CONTACT_RAD)
    return {
        "bpfo": BALLS / 2 * rate * (1 - ratio),
        "bpfi": BALLS / 2 * rate * (1 + ratio),
        "bsf": PITCH_MM / (2 * BALL_MM) * rate * (1 - ratio**2),
        "ftf": rate / 2 * (1 - ratio),
    }


def race(fault: np.random.Generator) -> str:
    """Which race is hurt, "bpfo" or "bpfi"; the first draw of the stream "fault"."""
    return ("bpfo", "bpfi")[fault.integers(2)]


def sound(condition: Condition, severity: float, draw: Draw, samples: int) -> np.ndarray:
    """Sound at the bearing, (samples,). Severity 1 is a marked spall."""
    unit, fault = draw("unit"), draw("fault")
    rate = condition["vel"] * (1 + 0.004 * unit.standard_normal() + drift(draw("speed"), samples, 2.0, 0.003))
    relative, load = rate / NOMINAL, condition["load"] / 3
    theta = angle(draw("shaft"), rate, samples)
    order = ball_pass(1.0)
    resonances = vary(unit, RESONANCES, 0.008, 1.0)

    film = decibel(drift(draw("lubricant"), samples, 0.5, 0.8) + 0.7 * unit.standard_normal())
    rolling = noise(draw("rolling"), curve(samples, ROLLING), samples) * once(order["ftf"] * theta, 0.15)
    rolling *= fine(relative**1.5 * load**0.3 * film, samples)

    which = race(fault)
    when = passages(fault, theta, order[which])
    force = STRIKE * severity * load**0.7 * relative.mean() * fault.lognormal(0.0, 0.2, len(when))
    if which == "bpfi":
        force *= 1 + 0.8 * np.cos(np.interp(when, np.arange(samples) / RATE, theta))
    body = spectrum(rolling) * (1.2 * modes(samples, resonances) + 0.35)
    body += spectrum(strikes(when, force, samples)) * ring(samples, resonances)

    level = 0.12 * np.arange(1, 31) ** -0.6 * decibel(2.0 * unit.standard_normal(30))
    shaft = tones(theta, level, 2 * np.pi * unit.random(30))
    level = 0.15 * np.array([0.3, 1, 0.2, 0.4, 0.1, 0.15]) * decibel(unit.standard_normal(6))
    drive = tones(12 * theta, level)  # torque ripple of the motor's 12 slots
    rumble = noise(draw("rumble"), curve(samples, RUMBLE), samples)
    turning = (shaft + drive) * fine(relative**2, samples) + rumble * fine(0.5 * relative, samples)
    return signal(body, samples) + turning


def passages(rng: np.random.Generator, theta: np.ndarray, order: float) -> np.ndarray:
    """Times in s at which balls pass the defect: `order` a turn on average, each gap with its own slip."""
    expected = (theta[-1] - theta[0]) / (2 * np.pi) * order
    gaps = 1 + SLIP * rng.standard_normal(int(expected * 1.1) + 20)
    turned = theta[0] + 2 * np.pi / order * (rng.random() + np.cumsum(gaps) - 1)
    turned = turned[(turned >= theta[0]) & (turned <= theta[-1])]
    return np.interp(turned, theta, np.arange(len(theta)) / RATE)
