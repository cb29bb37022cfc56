"""Solenoid valve switched in a timed pattern: clicks and a puff of air. Faults: leak, missed or weak strokes.

Each cycle: current on, the armature hits its stop after a delay (click, with a bounce some milliseconds
later), the coil hums at twice the mains frequency while on; current off, the spring returns it (a weaker
click) and the chamber vents through the exhaust. The vent is a turbulent jet: the pressure falls as p(t) =
p_0 exp(-t / tau), its sound is taken as proportional to p, and its spectrum peaks near Strouhal number 0.2 of
the orifice.

A leak of severity s hisses while the valve is shut: a jet through a much smaller hole, ~ s p_0 and higher in
frequency. A sticking armature misses a stroke with probability 0.1 + 0.3 s and otherwise hits late and more
weakly, 1 - 0.4 s. Which of the two it is is drawn for each clip.
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
    noise,
    ring,
    signal,
    spectrum,
    strikes,
    tones,
    vary,
)

PATTERNS = {0: (0.50, 0.18), 1: (0.62, 0.22), 2: (0.56, 0.25), 3: (0.70, 0.30), 4: (0.75, 0.25)}
"""Pattern number to period and time open, both in seconds."""

CONDITIONS: dict[str, tuple[Condition, ...]] = {
    "source": tuple({"pat": pat, "bar": bar} for pat in (0, 1, 2) for bar in (4, 5)),
    "target": tuple({"pat": pat, "bar": bar} for pat in (3, 4) for bar in (6,)),
}
"""`pat` switching pattern, `bar` supply pressure."""

BODY = (
    (640.0, 0.04, 0.5),
    (1700.0, 0.03, 0.9),
    (2900.0, 0.03, 1.0),
    (4300.0, 0.03, 0.9),
    (6300.0, 0.03, 0.7),
)
EXHAUST = ((100, -25), (1000, -6), (3500, 0), (8000, -5))
HOLE = ((100, -40), (1500, -12), (6000, 0), (8000, 0))
SUPPLY = ((100, 0), (1000, -4), (8000, -12))
VENT_S = 0.06  # time constant of the emptying chamber
OPENS_S, SHUTS_S = 0.006, 0.012  # from current to click
LEAK = 0.25  # of severity 1
MISS = (0.1, 0.3)  # probability of a missed stroke: offset, and its growth with severity


def sound(condition: Condition, severity: float, draw: Draw, samples: int) -> np.ndarray:
    """Sound at the valve, (samples,). Severity 1 is a clear leak, or four strokes in ten missed."""
    unit, timing, fault = draw("unit"), draw("timing"), draw("fault")
    leak = severity if fault.integers(2) else 0.0
    sticky = severity - leak
    period, held = PATTERNS[int(condition["pat"])]
    pressure = fine(condition["bar"] / 5 * (1 + drift(draw("supply"), samples, 1.5, 0.04)), samples)

    count = int(samples / RATE / period) + 3
    on = period * (np.arange(count) - 1 - timing.random()) + 0.002 * timing.standard_normal(count)
    off = on + held + 0.002 * timing.standard_normal(count)
    force = timing.lognormal(0.0, 0.12, count) * (1 - 0.4 * sticky)
    force *= fault.random(count) >= (MISS[0] + MISS[1] * sticky if sticky else 0.0)
    opens = on + OPENS_S + 0.02 * sticky * fault.random(count)
    bounces = opens + 0.003 + 0.004 * timing.random(count)
    shuts = off + SHUTS_S
    blows = 3.0 * np.concatenate([force, 0.35 * force, 0.55 * force])
    body = spectrum(strikes(np.concatenate([opens, bounces, shuts]), blows, samples))
    body *= ring(samples, vary(unit, BODY, 0.01, 1.0))

    jet = noise(draw("jet"), curve(samples, EXHAUST), samples)
    jet *= 2.2 * puffs(shuts[force > 0], samples) * pressure
    energised = switched(on, off, samples)
    hum = (
        tones(angle(draw("mains"), 100.0, samples), 0.15 * np.array([1, 0.6, 0.4, 0.3, 0.2, 0.1])) * energised
    )
    supply = noise(draw("supply noise"), curve(samples, SUPPLY), samples) * pressure
    total = signal(body, samples) + jet + hum + supply * (0.15 * decibel(unit.standard_normal()))
    if leak:
        total += LEAK * leak * noise(fault, curve(samples, HOLE), samples) * pressure * (1 - energised)
    return total


def puffs(starts: np.ndarray, samples: int) -> np.ndarray:
    """Sum of exp(-t / VENT_S) from each start, (samples,)."""
    from scipy.signal import lfilter

    onset = np.ceil(starts * RATE)
    early = onset < 0  # the rest of a puff that began before the clip
    train = np.bincount(
        np.maximum(onset, 0).astype(np.int64), np.where(early, np.exp(starts / VENT_S), 1.0), samples
    )
    return lfilter([1.0], [1.0, -np.exp(-1 / RATE / VENT_S)], train[:samples])


def switched(on: np.ndarray, off: np.ndarray, samples: int) -> np.ndarray:
    """1 while the coil is energised, else 0, (samples,)."""
    edges = np.clip(np.rint(np.stack([on, off]) * RATE), 0, samples).astype(np.int64)
    steps = np.bincount(edges[0], minlength=samples + 1) - np.bincount(edges[1], minlength=samples + 1)
    return np.cumsum(steps[:samples]).astype(float)
