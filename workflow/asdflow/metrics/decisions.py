"""Decisions: a threshold from the scores of normal training clips, and how good the alarms are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from asdflow.foundation.errors import ConfigError, DataError
from asdflow.metrics.labels import labels, same_length
from asdflow.metrics.measure import FLOOR

RULES = ("gamma", "quantile")


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


def threshold(
    training, quantile: float = 0.9, rule: Literal["gamma", "quantile"] = "gamma", name: str = "training"
) -> float:
    """Score above which a clip is called anomalous.

    Parameters
    ----------
    training : (N,) float
        Scores of normal training clips, each scored without itself (leave-one-out).
    quantile : float
        Share of normal clips below the threshold, in (0, 1); the challenge's baseline uses 0.9.
    rule : "gamma" or "quantile"
        "gamma": quantile of a gamma distribution with free shape, location and scale, fitted to the scores by
        maximum likelihood, as the challenge's baseline does. "quantile": that of the scores themselves
        (linear between order statistics). Scores that are all equal give that score by either rule.
    name : str
        For messages.

    Raises
    ------
    DataError
        No training score; scores that are not finite; the gamma fit does not converge.
    ConfigError
        quantile outside (0, 1); unknown rule.
    """
    if not 0.0 < quantile < 1.0:
        raise ConfigError("quantile", f"is {quantile}, must lie between 0 and 1", "The usual value is 0.9.")
    if rule not in RULES:
        raise ConfigError("rule", f"is {rule!r}", f"Use one of {', '.join(RULES)}.")
    values = np.asarray(training, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise DataError(
            name,
            f"has shape {values.shape} and {int((~np.isfinite(values)).sum())} values that are not finite",
            "A threshold needs at least one finite training score.",
        )
    if rule == "quantile" or np.ptp(values) == 0:
        return float(np.quantile(values, quantile))
    from scipy import stats

    with np.errstate(all="ignore"):
        try:
            limit = float(stats.gamma.ppf(quantile, *stats.gamma.fit(values)))
        except (stats.FitError, ValueError) as error:
            raise _no_fit(name, str(error)) from None
    if not np.isfinite(limit):
        raise _no_fit(name, f"the threshold came out as {limit}")
    return limit


def decide(score, limit: float) -> np.ndarray:
    """(M,) int8: 1 where the score is above the threshold."""
    return (np.asarray(score, dtype=np.float64) > limit).astype(np.int8)


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


def _no_fit(name: str, why: str) -> DataError:
    return DataError(name, f"no gamma distribution fits the training scores ({why})", "Use rule: quantile.")
