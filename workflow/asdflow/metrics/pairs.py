"""Is one system better than another? Differences over the same resamples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from asdflow.foundation.errors import ConfigError
from asdflow.metrics import intervals
from asdflow.metrics.labels import labels
from asdflow.metrics.measure import OFFICIAL, Measure
from asdflow.metrics.resampled import matrix, of_everything, resample
from asdflow.metrics.resampling import units as units_of


@dataclass(frozen=True)
class Difference:
    """One system minus a reference.

    Attributes
    ----------
    system, reference, metric : str
    value : float
        Difference of the metric over all machines, in [-1, 1]; positive when the system is better.
    low, high : float
        Ends of the interval. It does not contain 0 where the difference is resolved at that confidence.
    share : float
        Share of resamples in which the system is not ahead of the reference (equal counts half).
    p_value : float
        Twice the smaller of share and 1 - share, with one count added, so at least 2 / (rounds + 1). A
        bootstrap sign test: approximate, and not corrected for the number of comparisons.
    """

    system: str
    reference: str
    metric: str
    value: float
    low: float
    high: float
    share: float
    p_value: float


def compare(
    systems: Mapping[str, object],
    reference: str,
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
) -> list[Difference]:
    """Every other system minus the reference, for each term's mean over sections and the overall score.

    Both are measured on the same resamples, so what moves them together cancels. Parameters and errors as for
    `evaluate`; with the same `seed_name`, recordings and rounds the resamples are those of `evaluate`.
    `reference` names one of the systems. The result is in the order of the systems, the overall score last.
    """
    intervals.check(rounds, confidence, method)
    names = list(systems)
    if reference not in names:
        raise ConfigError("reference", f"is {reference!r}", f"Name one of {', '.join(names)}.")
    known = labels(anomaly, domain, machine, section)
    score = matrix(systems, known)
    machines = list(
        resample(
            measure,
            score,
            known,
            units_of(known, recording),
            rounds,
            seed_name,
            leave_one_out=method != "percentile",
        )
    )
    metrics, stratum = of_everything(measure, machines, known)
    base, others = names.index(reference), [i for i, name in enumerate(names) if name != reference]
    found = []
    for metric in metrics:
        if np.isnan(metric.values[:, 0]).any():
            continue
        gain = metric.values[others] - metric.values[base]
        left = metric.left_out[others] - metric.left_out[base]
        low, high = intervals.ends(gain[:, 0], gain[:, 1:], left, stratum, confidence, method)
        share = (gain[:, 1:] < 0).mean(axis=1) + (gain[:, 1:] == 0).mean(axis=1) / 2.0
        tail = (rounds * np.minimum(share, 1.0 - share) + 1.0) / (rounds + 1.0)
        numbers = (gain[:, 0], low, high, share, np.minimum(1.0, 2.0 * tail))
        for index, row in zip(others, zip(*(n.tolist() for n in numbers), strict=True), strict=True):
            found.append((index, Difference(names[index], reference, metric.name, *row)))
    return [difference for _, difference in sorted(found, key=lambda pair: pair[0])]


def paired(first, second, anomaly, domain, machine, section=None, **options) -> Difference:
    """Overall score of the first system minus the second's, with an interval from common resamples.

    first, second: (M,) float scores of the same clips. Other parameters, options and errors as for `compare`.
    """
    systems = {"first": first, "second": second}
    return compare(systems, "second", anomaly, domain, machine, section, **options)[-1]
