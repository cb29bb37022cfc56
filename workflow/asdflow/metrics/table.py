"""The long table of metrics with intervals: what the workflow stores and the report shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from asdflow.metrics import intervals
from asdflow.metrics.dcase import over_sections, overall
from asdflow.metrics.labels import Labels, labels
from asdflow.metrics.measure import OFFICIAL, Measure, Term
from asdflow.metrics.resampled import Resampled, matrix, resample
from asdflow.metrics.resampling import Units
from asdflow.metrics.resampling import units as units_of

ALL = "all"


def evaluate(
    systems: Mapping[str, object],
    anomaly,
    domain,
    machine,
    section=None,
    recording=None,
    rounds: int = 1000,
    confidence: float = 0.95,
    seed_name: str = "metrics",
    method: str = "percentile",
    measure: Measure = OFFICIAL,
) -> dict[str, list]:
    """Every system's metrics with bootstrap intervals.

    Parameters
    ----------
    systems : mapping of str to (M,) float
        Scores of the same M test clips by each system; larger is more anomalous.
    anomaly, domain, machine, section
        Labels, as for `official`.
    recording : (M,) str, optional
        Clips of one machine and recording are resampled together; left out, clips are independent units.
    rounds : int
        Resamples, stratified by machine, section, domain and label (see `resampling.Units`).
    confidence : float
        Coverage of the intervals, in (0, 1).
    seed_name : str
        Name that seeds the resamples, e.g. the data set's; the same for all systems that are to be compared.
    method : "percentile" or "bca"
    measure : Measure
        What is computed; the official score unless another is named.

    Returns
    -------
    dict of str to list
        Columns system, machine, section, metric, value, low, high, confidence, normal, anomaly, units,
        sorted by system, machine, section and metric. Rows: each term and the measure's mean of each section,
        and with machine and section "all" the mean of each term over sections and the overall score. A term
        that does not exist (no target clips) has no row; then the means are over the others. `units` counts
        the independent units that the interval resamples; where it is 0 nothing varies, nothing is known, and
        the interval is all of [0, 1].

    Raises
    ------
    DataError
        As `official`; recording has nulls.
    ConfigError
        No systems, too few rounds for the confidence, unknown method.
    """
    intervals.check(rounds, confidence, method)
    known = labels(anomaly, domain, machine, section)
    score = matrix(systems, known)
    groups = units_of(known, recording)
    machines = list(resample(measure, score, known, groups, rounds, seed_name, leave_one_out=method == "bca"))
    rows = [row for part in machines for row in _sections(measure, part, known, method, confidence)]
    rows += _everything(measure, machines, known, groups, method, confidence)
    names = list(systems)
    table = [
        (names[index], machine, section, metric, value, low, high, confidence, *counts)
        for machine, section, metric, counts, ends in rows
        for index, (value, low, high) in enumerate(zip(*ends, strict=True))
    ]
    columns = (
        "system",
        "machine",
        "section",
        "metric",
        "value",
        "low",
        "high",
        "confidence",
        "normal",
        "anomaly",
        "units",
    )
    return dict(zip(columns, map(list, zip(*sorted(table), strict=True)), strict=True))


def _sections(measure: Measure, part: Resampled, known: Labels, method: str, confidence: float):
    """Rows of one machine's sections: (machine, section, metric, counts, ends of all systems)."""
    stratum = part.units.stratum[part.units.free]
    for index, section in enumerate(part.sections):
        values, left = part.values[index], part.left_out[index]
        metrics = [(term.name, values[:, i], left[:, i], (term,)) for i, term in enumerate(measure.terms)]
        metrics.append(
            (measure.name, measure.join(values, axis=1), measure.join(left, axis=1), measure.terms)
        )
        for name, value, missed, terms in metrics:
            if np.isnan(value).any():
                continue
            counts = _counts(known, section.rows, terms, part.units)
            yield (
                section.machine,
                section.section,
                name,
                counts,
                _ends(value, missed, stratum, counts[2], method, confidence),
            )


def _everything(
    measure: Measure,
    machines: list[Resampled],
    known: Labels,
    groups: list[Units],
    method: str,
    confidence: float,
):
    """Rows over all machines."""
    values = np.concatenate([part.values for part in machines])
    left, stratum = leave_one_out(machines)
    of_terms = (
        over_sections(measure, values.swapaxes(1, 2), known),
        over_sections(measure, left.swapaxes(1, 2), known),
    )
    metrics = [(term.name, of_terms[0][i], of_terms[1][i], (term,)) for i, term in enumerate(measure.terms)]
    metrics.append(
        (
            measure.name,
            overall(measure, values.swapaxes(1, 2), known),
            overall(measure, left.swapaxes(1, 2), known),
            measure.terms,
        )
    )
    for name, value, missed, terms in metrics:
        if np.isnan(value).any():
            continue
        counts = np.sum([_counts(known, unit.rows, terms, unit) for unit in groups], axis=0).tolist()
        yield ALL, ALL, name, tuple(counts), _ends(value, missed, stratum, counts[2], method, confidence)


def leave_one_out(machines: list[Resampled]) -> tuple[np.ndarray, np.ndarray]:
    """(sections, systems, terms, J): all sections without one free unit of any machine; its stratum (J,)."""
    blocks, stratum, offset = [], [], 0
    widths = [part.left_out.shape[-1] for part in machines]
    for index, part in enumerate(machines):
        before, after = sum(widths[:index]), sum(widths[index + 1 :])
        point = part.values[..., :1]
        blocks.append(
            np.concatenate([point.repeat(before, -1), part.left_out, point.repeat(after, -1)], axis=-1)
        )
        if widths[index]:
            stratum.append(part.units.stratum[part.units.free] + offset)
        offset += len(part.units.strata)
    return np.concatenate(blocks), np.concatenate(stratum) if stratum else np.empty(0, dtype=np.int64)


def _ends(
    value: np.ndarray, left: np.ndarray, stratum: np.ndarray, units: int, method: str, confidence: float
):
    """(systems,) value, low and high from (systems, 1 + R) and (systems, J)."""
    point, resampled = value[:, 0], value[:, 1:]
    if units == 0:
        return point, np.zeros_like(point), np.ones_like(point)
    if method == "bca":
        low, high = intervals.bca(point, resampled, left, stratum, confidence)
    else:
        low, high = intervals.percentile(resampled, confidence)
    return tuple(np.clip(ends, 0.0, 1.0).tolist() for ends in (point, low, high))


def _counts(known: Labels, rows: np.ndarray, terms: tuple[Term, ...], unit: Units) -> tuple[int, int, int]:
    """Normal clips, anomalous clips and free units behind some terms, among `rows`."""
    anomaly = known.anomaly[rows]
    normal = np.any([known.scope(rows, term.normals) for term in terms], axis=0) & ~anomaly
    anomalous = np.any([known.scope(rows, term.anomalies) for term in terms], axis=0) & anomaly
    behind = unit.unit[np.isin(unit.rows, rows[normal | anomalous])]
    return int(normal.sum()), int(anomalous.sum()), int(unit.free[np.unique(behind)].sum())
