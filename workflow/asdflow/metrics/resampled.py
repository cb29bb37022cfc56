"""Every system's terms in every resample: what tables of intervals and paired comparisons are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from asdflow.errors import ConfigError
from asdflow.metrics.labels import Labels, Section, scores
from asdflow.metrics.measure import Measure
from asdflow.metrics.resampling import Units
from asdflow.metrics.roc import term_values

# Values of one block of weights, about the size of a second-level cache. Has no influence on results.
_BLOCK = 64_000


@dataclass(frozen=True)
class Resampled:
    """One machine.

    Attributes
    ----------
    units : Units
    sections : tuple of Section
    values : (sections, systems, terms, 1 + rounds) float64
        Column 0 is the sample itself. NaN for a term that does not exist.
    left_out : (sections, systems, terms, J) float64
        The same without one free unit each; J = 0 unless asked for.
    """

    units: Units
    sections: tuple[Section, ...]
    values: np.ndarray
    left_out: np.ndarray


def matrix(systems: Mapping[str, object], known: Labels) -> np.ndarray:
    """(systems, M) float64 scores in the order of the mapping. Raises ConfigError when it is empty."""
    if not systems:
        raise ConfigError("systems", "is empty", "Name at least one system.")
    return np.stack([scores(f"system {name!r}", values, known) for name, values in systems.items()])


def resample(
    measure: Measure,
    score: np.ndarray,
    known: Labels,
    units: list[Units],
    rounds: int,
    seed_name: str,
    leave_one_out: bool = False,
) -> Iterator[Resampled]:
    """Yield machine by machine; all systems (rows of `score`) meet the same resamples."""
    for unit in units:
        sections = tuple(part for part in known.sections if part.machine == unit.machine)
        place = {row: index for index, row in enumerate(unit.rows.tolist())}
        inside = [np.array([place[row] for row in part.rows.tolist()]) for part in sections]
        weights = unit.bootstrap(rounds, seed_name)
        left = unit.leave_one_out() if leave_one_out else np.empty((len(unit.rows), 0))
        yield Resampled(
            unit,
            sections,
            np.stack(
                [
                    _values(measure, score, known, part.rows, weights[i])
                    for part, i in zip(sections, inside, strict=True)
                ]
            ),
            np.stack(
                [
                    _values(measure, score, known, part.rows, left[i])
                    for part, i in zip(sections, inside, strict=True)
                ]
            ),
        )


def _values(
    measure: Measure, score: np.ndarray, known: Labels, rows: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """(systems, terms, R) of one section; weights (section's clips, R)."""
    values = np.empty((len(score), len(measure.terms), weights.shape[1]))
    anomaly, target = known.anomaly[rows], known.target[rows]
    step = max(16, _BLOCK // len(rows))
    for start in range(0, weights.shape[1], step):
        block = np.ascontiguousarray(weights[:, start : start + step])
        for index, row in enumerate(score):
            values[index, :, start : start + step] = term_values(
                measure.terms, row[rows], anomaly, target, block
            )
    return values
