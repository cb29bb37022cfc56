"""AUC and partial AUC of weighted clips, exact with ties, for many resamples in one pass.

A bootstrap resample is a vector of integer weights, one a clip: how often it was drawn. The scores are
sorted once; the area of every resample then follows from cumulative sums along that order. Arrays are
(clips, resamples), so each step runs over contiguous memory. The weighted sums of an AUC are integers and
half-integers, exact in float64, and those of a pAUC are added in order of rank: results depend neither on
blocks nor on threads.
"""

from __future__ import annotations

import numpy as np

from asdflow.metrics.measure import MAX_FPR, Term, ordered_sum


class Curve:
    """One system's scores against a set of anomalous clips, sorted once.

    Parameters
    ----------
    anomaly : (P,) float
        Scores of the anomalous clips, larger is more anomalous.
    weight : (P, R) float
        How often each is counted in each of R resamples.
    """

    def __init__(self, anomaly: np.ndarray, weight: np.ndarray) -> None:
        order = np.argsort(anomaly, kind="stable")
        self.ascending = anomaly[order]
        # detected[k]: weight of the k anomalies that score highest, k = 0 ... P
        self.detected = np.zeros((len(anomaly) + 1, weight.shape[1]))
        np.cumsum(weight[order[::-1]], axis=0, out=self.detected[1:])

    def above(self, normal: np.ndarray) -> np.ndarray:
        """(N, R) weight of the anomalies that score above each normal clip."""
        return self.detected[len(self.ascending) - np.searchsorted(self.ascending, normal, side="right")]

    def not_below(self, normal: np.ndarray) -> np.ndarray:
        """(N, R) weight of the anomalies that score above each normal clip or tie with it."""
        return self.detected[len(self.ascending) - np.searchsorted(self.ascending, normal, side="left")]

    def wins(self, normal: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """(N, R) twice the weighted count of anomalies that beat each normal clip; a tie is half a win."""
        wins = self.above(normal)
        wins += self.not_below(normal)
        wins *= weight
        return wins

    def auc(self, wins: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """(R,) area under the ROC curve from the wins of N normal clips of weights (N, R)."""
        return wins.sum(axis=0) / (2.0 * weight.sum(axis=0) * self.detected[-1])

    def pauc(self, normal: np.ndarray, weight: np.ndarray, max_fpr: float = MAX_FPR) -> np.ndarray:
        """(R,) area up to a false positive rate, standardised to 0.5 = chance, 1 = perfect (McClish 1989).

        Ties make a sloped segment, cut by linear interpolation at `max_fpr`, as scikit-learn's
        `roc_auc_score(max_fpr=...)` does.
        """
        order = np.argsort(-normal, kind="stable")
        level, first = np.unique(-normal[order], return_index=True)
        weight = weight[order]
        total = weight.sum(axis=0)
        if len(level) < len(normal):
            weight = np.add.reduceat(weight, first, axis=0)
        alarms = np.cumsum(weight, axis=0)
        limit = max_fpr * total
        # Levels behind the last resample's cut have no width; they need no work.
        used = min(int((alarms < limit).sum(axis=0).max()) + 1, len(level))
        level, weight, alarms = -level[:used], weight[:used], np.minimum(alarms[:used], limit)
        width = np.diff(alarms, axis=0, prepend=0.0)
        above = self.above(level)
        tied = self.not_below(level) - above
        share = np.divide(width, weight, out=np.zeros_like(width), where=weight > 0)
        area = ordered_sum(width * (above + tied * share / 2.0), axis=0) / (total * self.detected[-1])
        chance = max_fpr**2 / 2.0
        return np.clip(0.5 * (1.0 + (area - chance) / (max_fpr - chance)), 0.0, 1.0)


def term_values(
    terms: tuple[Term, ...], score: np.ndarray, anomaly: np.ndarray, target: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Terms of one section for R resamples.

    Parameters
    ----------
    score : (M,) float64
    anomaly, target : (M,) bool
    weight : (M, R) float64
        How often a clip is counted. Every scope that has clips must keep a positive weight.

    Returns
    -------
    (len(terms), R) float64, NaN for a term without normal or anomalous clips.
    """
    values = np.full((len(terms), weight.shape[1]), np.nan)
    curves: dict[str, Curve] = {}
    wins: dict[str, np.ndarray] = {}
    normal = np.flatnonzero(~anomaly)
    normal_weight = weight[normal]
    for index, term in enumerate(terms):
        anomalous = anomaly & _scope(target, term.anomalies)
        chosen = _scope(target[normal], term.normals)
        if not anomalous.any() or not chosen.any():
            continue
        if term.anomalies not in curves:
            curves[term.anomalies] = Curve(score[anomalous], weight[anomalous])
        curve = curves[term.anomalies]
        weight_here = normal_weight if chosen.all() else normal_weight[chosen]
        if term.kind == "pauc":
            values[index] = curve.pauc(score[normal[chosen]], weight_here)
            continue
        if term.anomalies not in wins:
            wins[term.anomalies] = curve.wins(score[normal], normal_weight)
        won = wins[term.anomalies]
        values[index] = curve.auc(won if chosen.all() else won[chosen], weight_here)
    return values


def auc(score, anomaly) -> float:
    """Area under the ROC curve; ties count half. score (M,) finite, anomaly (M,) 0/1 with both present."""
    return _single(score, anomaly, lambda curve, normal, one: curve.auc(curve.wins(normal, one), one))


def pauc(score, anomaly, max_fpr: float = MAX_FPR) -> float:
    """Standardised partial AUC, equal to scikit-learn's `roc_auc_score(anomaly, score, max_fpr=max_fpr)`."""
    return _single(score, anomaly, lambda curve, normal, one: curve.pauc(normal, one, max_fpr))


def _single(score, anomaly, area) -> float:
    from asdflow.metrics.labels import labels, scores

    known = labels(anomaly, None, "clips")
    score = scores("score", score, known)
    normal = score[~known.anomaly]
    curve = Curve(score[known.anomaly], np.ones((int(known.anomaly.sum()), 1)))
    return float(area(curve, normal, np.ones((len(normal), 1)))[0])


def _scope(target: np.ndarray, scope: str) -> np.ndarray:
    if scope == "all":
        return np.ones(len(target), dtype=bool)
    return target == (scope == "target")
