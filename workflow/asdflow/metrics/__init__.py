"""Metrics: AUC, pAUC, official scores, intervals by resampling; knows scores and labels, not systems.

Everything is computed with numpy from the order of the scores alone: any increasing map of them changes
nothing.
"""

from asdflow.metrics.dcase import Score, compute, official, official_2020, official_2021, simple
from asdflow.metrics.decisions import Alarms, f1
from asdflow.metrics.measure import MEASURES, Measure, measure_of_year
from asdflow.metrics.pairs import Difference, compare, paired
from asdflow.metrics.ranks import Agreement, agreement, kendall
from asdflow.metrics.roc import auc, pauc
from asdflow.metrics.spread import Effect, Ratio, contrast, effects
from asdflow.metrics.table import evaluate
from asdflow.metrics.thresholds import Threshold, decide, threshold

__all__ = [
    "MEASURES",
    "Agreement",
    "Alarms",
    "Difference",
    "Effect",
    "Measure",
    "Ratio",
    "Score",
    "Threshold",
    "agreement",
    "auc",
    "compare",
    "compute",
    "contrast",
    "decide",
    "effects",
    "evaluate",
    "f1",
    "kendall",
    "measure_of_year",
    "official",
    "official_2020",
    "official_2021",
    "paired",
    "pauc",
    "simple",
    "threshold",
]
