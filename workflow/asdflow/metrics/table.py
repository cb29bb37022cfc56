"""The long table of metrics with intervals: what the workflow stores and the report shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from asdflow.foundation.errors import DataError
from asdflow.metrics import intervals
from asdflow.metrics.labels import Labels, labels
from asdflow.metrics.measure import OFFICIAL, Measure, Term
from asdflow.metrics.resampled import Resamples, matrix, of_everything, of_section, resample
from asdflow.metrics.resampling import Units
from asdflow.metrics.resampling import units as units_of

ALL = "all"
_WHERE = ("system", "machine", "section", "metric")
_NUMBERS = ("value", "low", "high", "confidence", "normal", "anomaly", "units")
COLUMNS = (*_WHERE, *_NUMBERS)


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
    """Every system's metrics with intervals.

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
    method : "percentile", "bca" or "jackknife"
        The last uses no resamples and no seed.
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
        As `official`; recording has nulls; a machine is called "all".
    ConfigError
        No systems, too few rounds for the confidence, unknown method.
    """
    intervals.check(rounds, confidence, method)
    known = labels(anomaly, domain, machine, section)
    if ALL in known.machine:
        raise DataError(
            "machine 'all'", "is the name of the mean over machines", "Give the machine another name."
        )
    score = matrix(systems, known)
    groups = units_of(known, recording)
    replay = resample(
        measure,
        score,
        known,
        groups,
        rounds if method != "jackknife" else 0,
        seed_name,
        leave_one_out=method != "percentile",
    )
    machines = list(replay)
    rows = []
    for part in machines:
        for index, place in enumerate(part.sections):
            for metric in of_section(measure, part, index):
                count = _counts(known, place.rows, metric.terms, part.units)
                rows += _rows(
                    systems, place.machine, place.section, metric, count, part.stratum, method, confidence
                )
    metrics, stratum = of_everything(measure, machines, known)
    for metric in metrics:
        count = tuple(
            sum(c) for c in zip(*(_counts(known, u.rows, metric.terms, u) for u in groups), strict=True)
        )
        rows += _rows(systems, ALL, ALL, metric, count, stratum, method, confidence)
    return dict(zip(COLUMNS, map(list, zip(*sorted(rows), strict=True)), strict=True))


def _rows(
    systems: Mapping[str, object],
    machine: str,
    section: str,
    metric: Resamples,
    count: tuple[int, int, int],
    stratum: np.ndarray,
    method: str,
    confidence: float,
) -> list[tuple]:
    """One row a system; none when the metric does not exist."""
    point = metric.values[:, 0]
    if np.isnan(point).any():
        return []
    if count[2] == 0:
        low, high = np.zeros_like(point), np.ones_like(point)
    else:
        low, high = intervals.ends(point, metric.values[:, 1:], metric.left_out, stratum, confidence, method)
    return [
        (name, machine, section, metric.name, *numbers, confidence, *count)
        for name, *numbers in zip(
            systems, *(np.clip(ends, 0.0, 1.0).tolist() for ends in (point, low, high)), strict=True
        )
    ]


def _counts(known: Labels, rows: np.ndarray, terms: tuple[Term, ...], units: Units) -> tuple[int, int, int]:
    """Normal clips, anomalous clips and free units behind some terms, among `rows`."""
    anomaly = known.anomaly[rows]
    normal = np.any([known.scope(rows, term.normals) for term in terms], axis=0) & ~anomaly
    anomalous = np.any([known.scope(rows, term.anomalies) for term in terms], axis=0) & anomaly
    behind = np.unique(units.unit[np.searchsorted(units.rows, rows[normal | anomalous])])
    return int(normal.sum()), int(anomalous.sum()), int(units.free[behind].sum())
