"""The scores of DCASE Task 2, year by year, and the "simple" score of the literature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from asdflow.foundation.errors import ConfigError
from asdflow.metrics import measure as m
from asdflow.metrics.labels import Labels, labels, scores
from asdflow.metrics.roc import term_values


@dataclass(frozen=True)
class Score:
    """What a measure says about one system.

    Attributes
    ----------
    table : pyarrow.Table
        A row for each machine and section (sorted), a column for each term and one, named like the measure,
        for their mean. All in [0, 1]; null where a section has no clips for a term.
    overall : float
        Mean over all terms that exist, in [0, 1].
    means : dict of str to float
        Mean of each term over sections; a term that exists nowhere is absent.
    domains : "source and target", "source only", "target only" or "mixed"
        Which domains have normal test clips. "source only" means that `overall` lacks every target term and
        does not compare with a full one; "mixed" that some sections lack terms that others have.
    missing : tuple of (machine, section, term)
        Terms that do not exist.
    """

    table: pa.Table
    overall: float
    means: dict[str, float]
    domains: Literal["source and target", "source only", "target only", "mixed"]
    missing: tuple[tuple[str, str, str], ...]


def official(score, anomaly, domain, machine, section=None) -> Score:
    """Official score since 2022: harmonic mean of AUC source, AUC target and pAUC over all sections.

    AUC source: normal clips of the source domain against the anomalous clips of both domains; AUC target
    likewise. pAUC: all clips, up to a false positive rate of 0.1, standardised (McClish). Terms are floored
    at machine epsilon before the mean, as the evaluators do.

    Parameters
    ----------
    score : (M,) float
        Larger is more anomalous. Only the order counts.
    anomaly : (M,) 0/1, or "normal"/"anomaly"
    domain : (M,) 0 source, 1 target, or the words; None where there are no domains
    machine : (M,) str
    section : (M,) str, optional

    Raises
    ------
    DataError
        Unknown labels, scores that are not finite, a section without normal or anomalous clips, unequal
        lengths.
    """
    return compute(m.OFFICIAL, score, anomaly, domain, machine, section)


def official_2021(score, anomaly, domain, machine, section=None) -> Score:
    """Score of 2021: harmonic mean of AUC and pAUC over all sections and domains, each within its domain.

    Parameters and errors as for `official`. (The same formula as `simple` with restricted pAUCs.)
    """
    return compute(m.OFFICIAL_2021, score, anomaly, domain, machine, section)


def official_2020(score, anomaly, machine, section=None) -> Score:
    """Score of 2020: arithmetic mean of AUC and pAUC; sections (machine ids) within a machine, then machines.

    Parameters and errors as for `official`; there were no domains.
    """
    return compute(m.OFFICIAL_2020, score, anomaly, None, machine, section)


def simple(
    score, anomaly, domain, machine, section=None, pauc: Literal["restricted", "joint"] = "restricted"
) -> Score:
    """Harmonic mean of AUCs whose normal and anomalous clips are both of one domain, and of pAUC.

    Several papers report it beside or instead of the official score (e.g. Wilkinghoff et al., ICASSP 2025);
    the two are not on one scale. It exists in two forms that differ by about half a point.

    Parameters
    ----------
    pauc : "restricted" or "joint"
        One pAUC a domain (four terms a section), or one over all clips (three terms).

    Other parameters and errors as for `official`.
    """
    forms = {"restricted": m.SIMPLE_RESTRICTED, "joint": m.SIMPLE_JOINT}
    if pauc not in forms:
        raise ConfigError("pauc", f"is {pauc!r}", "Use 'restricted' or 'joint'.")
    return compute(forms[pauc], score, anomaly, domain, machine, section)


def compute(measure: m.Measure, score, anomaly, domain, machine, section=None) -> Score:
    """Any measure for one system; parameters and errors as for `official`."""
    known = labels(anomaly, domain, machine, section)
    score = scores("score", score, known)
    values = np.stack([_section(measure, score, known, part.rows) for part in known.sections])
    names = [term.name for term in measure.terms]
    columns = {"machine": [s.machine for s in known.sections], "section": [s.section for s in known.sections]}
    columns |= dict(zip(names, (_nullable(column) for column in values.T), strict=True))
    columns[measure.name] = _nullable(measure.join(values, axis=1))
    means = zip(names, over_sections(measure, values, known), strict=True)
    return Score(
        table=pa.table(columns),
        overall=float(overall(measure, values[:, :, None], known)[0]),
        means={name: float(mean) for name, mean in means if not np.isnan(mean)},
        domains=domains(known),
        missing=tuple(
            (known.sections[row].machine, known.sections[row].section, names[column])
            for row, column in np.argwhere(np.isnan(values))
        ),
    )


def overall(measure: m.Measure, values: np.ndarray, known: Labels) -> np.ndarray:
    """(sections, terms, ...) to (...): one number over everything."""
    if not measure.machines_first:
        return measure.join(np.concatenate(list(values)), axis=0)
    return measure.join(_by_machine(measure, measure.join(values, axis=1), known), axis=0)


def over_sections(measure: m.Measure, values: np.ndarray, known: Labels) -> np.ndarray:
    """(sections, terms, ...) to (terms, ...): each term's mean over sections, in machines first if so."""
    if measure.machines_first:
        values = _by_machine(measure, values, known)
    return measure.join(values, axis=0)


def domains(known: Labels) -> str:
    """Which domains have normal test clips, over all sections (see `Score`)."""
    found = set()
    for part in known.sections:
        target = known.target[part.rows][~known.anomaly[part.rows]]
        found.add(
            "source and target" if 0 < target.mean() < 1 else "target only" if target.all() else "source only"
        )
    return found.pop() if len(found) == 1 else "mixed"


def _by_machine(measure: m.Measure, values: np.ndarray, known: Labels) -> np.ndarray:
    machines = np.array([part.machine for part in known.sections])
    return np.stack([measure.join(values[machines == name], axis=0) for name in np.unique(machines)])


def _section(measure: m.Measure, score: np.ndarray, known: Labels, rows: np.ndarray) -> np.ndarray:
    once = np.ones((len(rows), 1))
    return term_values(measure.terms, score[rows], known.anomaly[rows], known.target[rows], once)[:, 0]


def _nullable(values: np.ndarray) -> pa.Array:
    return pa.array(values, type=pa.float64(), from_pandas=True)
