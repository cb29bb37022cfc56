"""Belt-driven linear slide going to and fro. Faults: lubrication lost, strokes broken off.

Motion: strokes of length L with a trapezoidal velocity (acceleration a, cruise at v, the same deceleration)
and a dwell. Sounds follow the velocity v(t): belt teeth at v / p with tooth pitch p, servo whine at a fixed
number of cycles a millimetre (so both sweep up and down with each stroke), friction noise p ~ v, balls that
enter the carriage one by one every few millimetres of travel, and a thump of the frame at each corner of the
trapezoid, ~ a.

Lost lubrication of severity s raises friction by 1 + 0.6 s and lets the carriage stick and slip where it is
slow: on the falling branch of Stribeck's curve it squeals near a mode of the carriage, ~ s (v/u) exp(1 -
v/u). A broken-off stroke stops part of the way with a knock, waits, and goes on; strokes fail with
probability 0.1 + 0.5 s. Which of the two it is is drawn for each clip.
"""

from __future__ import annotations

import numpy as np

from asdflow.datasets.factory._clips import Condition
from asdflow.datasets.factory._physics import (
    RATE,
    STRIDE,
    Draw,
    angle,
    curve,
    decibel,
    drift,
    fine,
    modes,
    noise,
    points,
    ring,
    signal,
    spectrum,
    strikes,
    tones,
    vary,
)

STROKE_MM, BELT_PITCH_MM, BALL_PITCH_MM, WHINE_PER_MM = 400.0, 5.0, 9.0, 6.0
GRAVITY = 9810.0  # mm/s^2
NOMINAL = 600.0  # mm/s
CONDITIONS: dict[str, tuple[Condition, ...]] = {
    "source": tuple({"vel": vel, "ac": ac} for vel in (550, 600, 650) for ac in (0.2, 0.3)),
    "target": tuple({"vel": vel, "ac": ac} for vel in (700, 750) for ac in (0.35,)),
}
"""`vel` in mm/s, `ac` acceleration in units of g."""

FRAME = ((95.0, 0.06, 1.0), (240.0, 0.05, 0.8), (620.0, 0.04, 0.5), (1500.0, 0.03, 0.3), (3100.0, 0.03, 0.2))
CARRIAGE = ((880.0, 0.05, 0.8), (1900.0, 0.05, 1.0), (3300.0, 0.04, 0.8), (5400.0, 0.04, 0.5))
FRICTION = ((50, -3), (500, 0), (3000, 0), (8000, -12))
IDLE = ((50, 0), (300, -6), (8000, -20))
SLOW = 100.0  # mm/s, below which a dry carriage squeals most
DRY, SQUEAL = 0.3, 0.6  # of severity 1
BREAKS = (0.1, 0.5)  # probability that a stroke breaks off: offset, and its growth with severity


def motion(
    condition: Condition, breaks: float, draw: Draw, samples: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Speed in mm/s as a path, and times in s and strengths of the thumps. `breaks` as in BREAKS."""
    healthy, fault = draw("motion"), draw("strokes")
    pull, seconds = condition["ac"] * GRAVITY, samples / RATE
    times, speeds, corners, knocks = [], [], [], []
    now = -2.0 * healthy.random()
    while now < seconds:
        top = condition["vel"] * (1 + 0.01 * healthy.standard_normal())
        dwell = 0.12 * (1 + 0.1 * healthy.standard_normal())
        broken, share, wait = fault.random() < breaks, fault.uniform(0.3, 0.7), fault.uniform(0.15, 0.3)
        legs = [(share, 1.3, wait), (1 - share, 1.0, 0.0)] if broken else [(1.0, 1.0, 0.0)]
        for part, knock, rest in legs:
            reach = min(top, np.sqrt(pull * part * STROKE_MM))
            ramp = reach / pull
            stop = now + ramp + part * STROKE_MM / reach
            corner = [now, now + ramp, stop - ramp, stop]
            times += corner
            speeds += [0.0, reach, reach, 0.0]
            corners += corner
            knocks += [1.0, 0.4, 0.4, knock]
            now = stop + rest
        now += dwell
    speed = np.interp(np.arange(points(samples)) * (STRIDE / RATE), times, speeds)
    return speed, np.array(corners), np.array(knocks) * (condition["ac"] / 0.3)


def sound(condition: Condition, severity: float, draw: Draw, samples: int) -> np.ndarray:
    """Sound at the slide, (samples,). Severity 1 is a dry rail, or every second stroke broken off."""
    unit, fault = draw("unit"), draw("fault")
    dry = severity if fault.integers(2) else 0.0
    breaks = BREAKS[0] + BREAKS[1] * severity if severity > dry else 0.0
    speed, corners, knocks = motion(condition, breaks, draw, samples)
    speed *= 1 + drift(draw("speed"), samples, 0.1, 0.01)
    relative = fine(speed / NOMINAL, samples)
    carriage, frame = vary(unit, CARRIAGE, 0.01, 1.0), vary(unit, FRAME, 0.01, 1.0)

    teeth = tones(angle(draw("belt"), speed / BELT_PITCH_MM, samples), 0.4 * np.arange(1, 21) ** -0.8)
    whine = tones(
        angle(draw("servo"), speed * WHINE_PER_MM, samples), [0.2 * decibel(unit.standard_normal())]
    )
    grease = decibel(drift(draw("grease"), samples, 0.3, 0.8) + 0.7 * unit.standard_normal())
    friction = noise(draw("friction"), curve(samples, FRICTION), samples)
    friction *= fine(1.3 * (1 + DRY * dry) * grease, samples)

    travel = np.cumsum(relative) * (NOMINAL / RATE)
    marks = np.arange(1, int(travel[-1] / BALL_PITCH_MM) + 1) * BALL_PITCH_MM
    entering = np.interp(marks, travel, np.arange(samples) / RATE)
    ticks = 0.25 * draw("balls").lognormal(0.0, 0.5, len(marks))
    ticks *= np.interp(entering, np.arange(len(speed)) * (STRIDE / RATE), speed / NOMINAL)
    thumps = 1.6 * knocks * draw("thump").lognormal(0.0, 0.15, len(knocks))

    body = spectrum((friction + teeth) * relative) * (modes(samples, carriage) + 0.3)
    body += spectrum(strikes(entering, ticks, samples)) * ring(samples, carriage)
    body += spectrum(strikes(corners, thumps, samples)) * ring(samples, frame)
    idle = noise(draw("drive"), curve(samples, IDLE), samples)
    rest = whine * relative + 0.15 * idle
    if dry:
        pitch = carriage[1][0] * (1 + drift(fault, samples, 0.05, 0.01))
        squeal = tones(angle(fault, pitch, samples), [1.0, 0.4, 0.2])
        rest += squeal * fine(SQUEAL * dry * (speed / SLOW) * np.exp(1 - speed / SLOW), samples)
    return signal(body, samples) + rest
