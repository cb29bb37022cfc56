"""Every system's terms in every resample: what tables of intervals and paired comparisons are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from asdflow.foundation.errors import ConfigError
from asdflow.metrics.dcase import over_sections, overall
from asdflow.metrics.labels import Labels, Section, scores
from asdflow.metrics.measure import Measure, Term
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

    @property
    def stratum(self) -> np.ndarray:
        """(J,) int: stratum of the unit that each column of `left_out` lacks."""
        return self.units.stratum[self.units.free][: self.left_out.shape[-1]]


@dataclass(frozen=True)
class Resamples:
    """One metric of all systems: values (systems, 1 + rounds), left_out (systems, J), the terms behind it."""

    name: str
    values: np.ndarray
    left_out: np.ndarray
    terms: tuple[Term, ...]


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
        weights = unit.bootstrap(rounds, seed_name)
        left = unit.leave_one_out() if leave_one_out else np.empty((len(unit.rows), 0))
        values, left_out = [], []
        for part in sections:
            inside = np.searchsorted(unit.rows, part.rows)
            values.append(_values(measure, score, known, part.rows, weights[inside]))
            left_out.append(_values(measure, score, known, part.rows, left[inside]))
        yield Resampled(unit, sections, np.stack(values), np.stack(left_out))


def of_section(measure: Measure, part: Resampled, index: int) -> list[Resamples]:
    """The terms of one section and their mean."""
    values, left = part.values[index], part.left_out[index]
    return [
        *(Resamples(term.name, values[:, i], left[:, i], (term,)) for i, term in enumerate(measure.terms)),
        Resamples(measure.name, measure.join(values, axis=1), measure.join(left, axis=1), measure.terms),
    ]


def of_everything(
    measure: Measure, machines: list[Resampled], known: Labels
) -> tuple[list[Resamples], np.ndarray]:
    """Each term's mean over sections and the overall value; and the stratum (J,) of each unit left out.

    Units of every machine are left out in turn, so J is their number over all machines.
    """
    values = np.concatenate([part.values for part in machines]).swapaxes(1, 2)
    left, stratum = _leave_one_out(machines)
    left = left.swapaxes(1, 2)
    means, left_means = over_sections(measure, values, known), over_sections(measure, left, known)
    metrics = [
        *(Resamples(term.name, means[i], left_means[i], (term,)) for i, term in enumerate(measure.terms)),
        Resamples(
            measure.name, overall(measure, values, known), overall(measure, left, known), measure.terms
        ),
    ]
    return metrics, stratum


def _leave_one_out(machines: list[Resampled]) -> tuple[np.ndarray, np.ndarray]:
    """(sections, systems, terms, J): a unit left out changes the sections of its machine alone."""
    widths = [part.left_out.shape[-1] for part in machines]
    blocks, stratum = [], []
    for index, part in enumerate(machines):
        point = part.values[..., :1]
        before, after = sum(widths[:index]), sum(widths[index + 1 :])
        blocks.append(
            np.concatenate([point.repeat(before, -1), part.left_out, point.repeat(after, -1)], axis=-1)
        )
        stratum.append(part.stratum + sum(len(other.units.strata) for other in machines[:index]))
    return np.concatenate(blocks), np.concatenate(stratum)


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
