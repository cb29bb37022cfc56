"""Metrics of anomalous sound detection: AUC, pAUC, the official scores, and intervals by resampling.

Everything is computed with numpy from the order of the scores alone: any increasing map of them changes
nothing.
"""

from asdflow.metrics.dcase import Score, compute, official, official_2020, official_2021, simple
from asdflow.metrics.roc import auc, pauc
from asdflow.metrics.table import evaluate

__all__ = [
    "Score",
    "auc",
    "compute",
    "evaluate",
    "official",
    "official_2020",
    "official_2021",
    "pauc",
    "simple",
]
