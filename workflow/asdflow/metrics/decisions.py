"""How good alarms are: precision, recall and F1 of decisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from asdflow.foundation.errors import DataError
from asdflow.metrics.labels import labels, same_length
from asdflow.metrics.measure import FLOOR


@dataclass(frozen=True)
class Alarms:
    """How good decisions are.

    Attributes
    ----------
    table : pyarrow.Table
        A row a machine and section: precision, recall and f1 over all clips, and with suffix _source and
        _target over one domain's clips (null where a domain lacks normal or anomalous clips). Without any
        alarm precision is 0; without a right one f1 is 0.
    overall : float
        Harmonic mean of the sections' f1, floored at machine epsilon: one section at 0 makes it 0.
    means : dict of str to float
        Arithmetic mean of each column over the sections that have it.
    """

    table: pa.Table
    overall: float
    means: dict[str, float]


def f1(decision, anomaly, domain, machine, section=None) -> Alarms:
    """Precision, recall and F1 of decisions.

    Parameters
    ----------
    decision : (M,) 0/1
        1 is an alarm.

    Other parameters and errors as for `official`; DataError for a decision that is neither 0 nor 1.
    """
    known = labels(anomaly, domain, machine, section)
    alarm = np.asarray(decision)
    same_length("decision", alarm, len(known))
    if not np.isin(alarm, (0, 1)).all():
        odd = alarm[~np.isin(alarm, (0, 1))][0]
        raise DataError("decision", f"holds {odd!r}", "Use 1 for an alarm and 0 for none.")
    alarm = alarm.astype(bool)
    columns: dict[str, list] = {"machine": [], "section": []}
    for part in known.sections:
        columns["machine"].append(part.machine)
        columns["section"].append(part.section)
        for scope in ("all", "source", "target"):
            rows = part.rows[known.scope(part.rows, scope)]
            suffix = "" if scope == "all" else f"_{scope}"
            for word, value in _precision_recall_f1(alarm[rows], known.anomaly[rows]).items():
                columns.setdefault(word + suffix, []).append(value)
    arrays = {
        key: pa.array(values, type=None if key in ("machine", "section") else pa.float64())
        for key, values in columns.items()
    }
    means = {
        key: float(np.mean([value for value in values if value is not None]))
        for key, values in columns.items()
        if key not in ("machine", "section") and any(value is not None for value in values)
    }
    harmonic = 1.0 / np.mean(1.0 / np.maximum(np.array(columns["f1"]), FLOOR))
    return Alarms(pa.table(arrays), float(harmonic), means)


def _precision_recall_f1(alarm: np.ndarray, anomaly: np.ndarray) -> dict[str, float | None]:
    if anomaly.all() or not anomaly.any():
        return {"precision": None, "recall": None, "f1": None}
    right = float((alarm & anomaly).sum())
    return {
        "precision": right / alarm.sum() if alarm.any() else 0.0,
        "recall": right / anomaly.sum(),
        "f1": 2.0 * right / (alarm.sum() + anomaly.sum()),
    }
