"""Which clips move together, and how often each is drawn: stratified resamples of clips or of recordings."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from asdflow.foundation import seeds
from asdflow.metrics.labels import Labels, words

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Units:
    """Independent units of one machine and the strata that they are drawn within.

    A unit is a clip, or all test clips of a recording. A stratum is the set of units that cover the same
    cells (section, domain, label): recordings of one section, domain and label form a stratum, and
    recordings that run from normal to anomalous form another. So every resample has clips in every cell, and
    no recording is ever torn apart.

    Attributes
    ----------
    machine : str
    rows : (m,) int
        The machine's rows.
    unit : (m,) int
        Unit of each row, 0 ... U-1, in the order of recordings' names (of rows where clips are the units).
    stratum : (U,) int
        Stratum of each unit.
    strata : tuple of str
        Their names, e.g. "00/source/normal".
    """

    machine: str
    rows: np.ndarray
    unit: np.ndarray
    stratum: np.ndarray
    strata: tuple[str, ...]

    @property
    def free(self) -> np.ndarray:
        """(U,) bool: units whose stratum has another one. A lone unit is in every resample exactly once."""
        return np.bincount(self.stratum)[self.stratum] > 1

    @property
    def fixed(self) -> tuple[str, ...]:
        """Names of strata with a lone unit: their variation is unknown, and no interval includes it."""
        return tuple(
            name for name, size in zip(self.strata, np.bincount(self.stratum), strict=True) if size == 1
        )

    def bootstrap(self, rounds: int, seed_name: str) -> np.ndarray:
        """(m, 1 + rounds) float64 weights; column 0 is the sample itself, once each clip.

        Each stratum has its own generator, seeded by `seed_name`, machine and stratum: neither other
        machines, nor the systems under test, nor threads change a draw.
        """
        drawn = np.ones((len(self.stratum), 1 + rounds))
        for index, name in enumerate(self.strata):
            members = np.flatnonzero(self.stratum == index)
            size = len(members)
            picks = seeds.generator(seed_name, "bootstrap", self.machine, name).integers(
                0, size, (rounds, size)
            )
            flat = (picks + size * np.arange(rounds)[:, None]).ravel()
            drawn[members, 1:] = np.bincount(flat, minlength=rounds * size).reshape(rounds, size).T
        return drawn[self.unit]

    def leave_one_out(self) -> np.ndarray:
        """(m, J) float64 weights: column j leaves out the j-th free unit."""
        free = np.flatnonzero(self.free)
        return (self.unit[:, None] != free[None, :]).astype(np.float64)


def units(known: Labels, recording=None) -> list[Units]:
    """Units of every machine, sorted by machine.

    Parameters
    ----------
    known : Labels
    recording : (M,) str, optional
        Clips of one machine with one recording are not independent and are drawn together. Left out, each
        clip is a unit of its own.

    Raises
    ------
    DataError
        recording has nulls or another length.
    """
    if recording is not None:
        recording = words("recording", recording, len(known))
    found = []
    for machine in sorted({section.machine for section in known.sections}):
        rows = np.flatnonzero(known.machine == machine)
        if recording is None:
            unit = np.arange(len(rows))
        else:
            unit = np.unique(recording[rows], return_inverse=True)[1]
        found.append(_units(machine, rows, unit, known))
        if found[-1].fixed:
            log.warning(
                "machine %r: %s %s a single independent unit; the interval leaves their variation out",
                machine,
                ", ".join(found[-1].fixed),
                "have" if len(found[-1].fixed) > 1 else "has",
            )
    return found


def _units(machine: str, rows: np.ndarray, unit: np.ndarray, known: Labels) -> Units:
    cells = [
        f"{section}/{'target' if target else 'source'}/{'anomaly' if anomaly else 'normal'}"
        for section, target, anomaly in zip(
            known.section[rows], known.target[rows], known.anomaly[rows], strict=True
        )
    ]
    names, cell = np.unique(np.array(cells), return_inverse=True)
    covers = np.zeros((unit.max() + 1, len(names)), dtype=bool)
    covers[unit, cell] = True
    patterns, stratum = np.unique(covers, axis=0, return_inverse=True)
    strata = tuple("+".join(names[pattern].tolist()) for pattern in patterns)
    return Units(machine, rows, unit, stratum.reshape(-1), strata)
