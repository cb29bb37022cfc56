"""Scores from their formulas, in plain loops over clips: what the library is compared with.

Nothing here uses the library. Every function scores one clip `x` against references `y` (R, D).
"""

from __future__ import annotations

import itertools
import math

import numpy as np


def distance(a, b, metric):
    """(1 - cos) / 2 or Euclidean, of two vectors."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if metric == "euclidean":
        return math.sqrt(sum((p - q) ** 2 for p, q in zip(a, b, strict=True)))
    cosine = float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))
    return (1 - cosine) / 2


def distances(a, b, metric):
    """Matrix of distances, by the formula (vectorized: the same numbers as `distance`, faster)."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if metric == "euclidean":
        return np.array([np.sqrt(np.square(b - row).sum(axis=1)) for row in a])
    unit = [rows / np.sqrt(np.square(rows).sum(axis=1, keepdims=True)) for rows in (a, b)]
    return np.array([np.square(unit[1] - row).sum(axis=1) / 4 for row in unit[0]])


def others(matrix, row):
    """Ascending distances from one reference to the others."""
    return sorted(matrix[row][other] for other in range(len(matrix)) if other != row)


def weighted(ascending, k=None, r=None):
    """Mean of the k nearest, or of all with weights r^(rank - 1)."""
    if r is None:
        return sum(ascending[:k]) / len(ascending[:k])
    weight = [r**rank for rank in range(len(ascending))]
    return sum(w * d for w, d in zip(weight, ascending, strict=True)) / sum(weight)


def density(y, metric, k=None, r=None):
    """Density of every reference."""
    matrix = distances(y, y, metric)
    return [weighted(others(matrix, row), k, r) for row in range(len(y))]


def domain_density(y, domain, metric, k_source, k_target):
    """Density of every reference among those of its domain."""
    matrix = distances(y, y, metric)
    result = []
    for row in range(len(y)):
        same = sorted(
            matrix[row][other] for other in range(len(y)) if other != row and domain[other] == domain[row]
        )
        result.append(weighted(same, k_target if domain[row] else k_source))
    return result


def nearest_lists(y, metric, k):
    """Ascending distances from every reference to its k nearest others."""
    matrix = distances(y, y, metric)
    return [others(matrix, row)[:k] for row in range(len(y))]


def cluster_exit(y, metric, k, percentile, whole=None):
    """Density of every reference up to the first jump; the threshold is that of `whole`, or of y."""
    lists = nearest_lists(y if whole is None else whole, metric, k)
    threshold = np.percentile([b / a for near in lists for a, b in itertools.pairwise(near)], percentile)
    result = []
    for near in nearest_lists(y, metric, k):
        kept = [near[0]]
        for a, b in itertools.pairwise(near):
            if b / a > threshold:
                break
            kept.append(b)
        result.append(sum(kept) / len(kept))
    return result


def knn(x, y, metric, k=1, rho=None, form="ratio"):
    """Mean of the k smallest distances, each changed by the density of its reference."""
    d = distances([x], y, metric)[0]
    if rho is not None:
        d = d / np.array(rho) if form == "ratio" else d - np.array(rho)
    return sum(sorted(d)[:k]) / k


def domain_knn(x, y, domain, metric, k_source, k_target):
    """The smaller of the means over each domain."""
    return min(knn(x, y[domain == 0], metric, k_source), knn(x, y[domain == 1], metric, k_target))


def beam(x, y, bands, metric, k=1):
    """Mean over bands of the nearest neighbours of each band."""
    width = len(x) // bands
    parts = [slice(band * width, (band + 1) * width) for band in range(bands)]
    return sum(knn(x[part], y[:, part], metric, k) for part in parts) / bands


def adabeam(x, y, bands, metric, k=1):
    """Band scores of mean and maximum, mixed by how much the clip changes."""
    width = len(x) // bands
    mean = peak = weight = 0.0
    for band in range(bands):
        low, middle, high = band * width, band * width + width // 2, (band + 1) * width
        mean += knn(x[low:middle], y[:, low:middle], metric, k) / bands
        peak += knn(x[middle:high], y[:, middle:high], metric, k) / bands
        change = np.linalg.norm(x[middle:high] - x[low:middle])
        weight += change / (change + np.linalg.norm(x[low:middle])) / bands
    return (1 - weight) * mean + weight * peak


def ledoit_wolf(y):
    """Mean, shrunk covariance and shrinkage, written out from Ledoit & Wolf (2004)."""
    n, p = y.shape
    mean = y.mean(axis=0)
    z = y - mean
    s = sum(np.outer(row, row) for row in z) / n
    m = np.trace(s) / p
    d2 = np.square(s - m * np.eye(p)).sum() / p
    b2 = min(sum(np.square(np.outer(row, row) - s).sum() for row in z) / n**2 / p, d2)
    rho = b2 / d2
    return mean, (1 - rho) * s + rho * m * np.eye(p), rho


def mahalanobis(x, y):
    """Squared distance to the pooled mean."""
    mean, covariance, _ = ledoit_wolf(y)
    return float((x - mean) @ np.linalg.solve(covariance, x - mean))


def selective(x, y, domain):
    """The smaller squared distance to a domain's mean, with the covariance of the source."""
    _, covariance, _ = ledoit_wolf(y[domain == 0])
    away = [x - y[domain == one].mean(axis=0) for one in (0, 1)]
    return min(float(one @ np.linalg.solve(covariance, one)) for one in away)


def pca(x, y, rank=None, variance=None):
    """Squared residual from the leading principal axes."""
    mean = y.mean(axis=0)
    _, singular, axes = np.linalg.svd(y - mean, full_matrices=False)
    if rank is None:
        rank, held = 0, 0.0
        while held < variance * np.square(singular).sum():
            held += singular[rank] ** 2
            rank += 1
    residual = x - mean
    for axis in axes[:rank]:
        residual = residual - (residual @ axis) * axis
    return float(residual @ residual)


def neighbourhood(x, y, metric, k):
    """Numbers of the k nearest references, and their distances."""
    d = distances([x], y, metric)[0]
    order = sorted(range(len(y)), key=lambda row: d[row])[:k]
    return order, [d[row] for row in order]


def lof(x, y, metric, k):
    """Local outlier factor of x with regard to y."""
    matrix = distances(y, y, metric)

    def near(row):
        return sorted((o for o in range(len(y)) if o != row), key=lambda o: matrix[row][o])[:k]

    reach = {row: matrix[row][near(row)[-1]] for row in range(len(y))}

    def lrd(row):
        return 1 / (sum(max(reach[o], matrix[row][o]) for o in near(row)) / k + 1e-10)

    index, d = neighbourhood(x, y, metric, k)
    own = 1 / (sum(max(reach[o], away) for o, away in zip(index, d, strict=True)) / k + 1e-10)
    return sum(lrd(o) for o in index) / k / own


def ldof(x, y, metric, k):
    """Mean distance to the neighbours over their mean distance to each other."""
    index, d = neighbourhood(x, y, metric, k)
    inner = [distance(y[a], y[b], metric) for a in index for b in index if a != b]
    return (sum(d) / k) / (sum(inner) / len(inner))


def loop(x, y, metric, k, probability=False, extent=3.0):
    """PLOF, or the local outlier probability."""
    matrix = distances(y, y, metric)

    def near(row):
        return sorted((o for o in range(len(y)) if o != row), key=lambda o: matrix[row][o])[:k]

    def pdist(d):
        return extent * math.sqrt(sum(v * v for v in d) / k)

    spread = [pdist([matrix[row][o] for o in near(row)]) for row in range(len(y))]
    bank = [spread[row] / (sum(spread[o] for o in near(row)) / k) - 1 for row in range(len(y))]
    index, d = neighbourhood(x, y, metric, k)
    plof = pdist(d) / (sum(spread[o] for o in index) / k) - 1
    if not probability:
        return plof
    scale = extent * math.sqrt(sum(v * v for v in bank) / len(bank))
    return max(0.0, math.erf(plof / (math.sqrt(2) * scale)))


def csls(x, y, k, query_term=False):
    """- max over y of 2 cos(x, y) - r(y), plus r(x) on request."""

    def cos(a, b):
        return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))

    def r(a, rest):
        return sum(sorted((cos(a, b) for b in rest), reverse=True)[:k]) / k

    best = max(2 * cos(x, y[row]) - r(y[row], np.delete(y, row, axis=0)) for row in range(len(y)))
    return -best + (r(x, y) if query_term else 0.0)


def variance_minimisation(x, y, metric, k, space, pairs="held_out"):
    """Distance less the share of the density that minimizes the variance over the bank."""
    scaled = np.log if space == "log" else (lambda v: v)
    matrix = distances(y, y, metric)
    ds, bs = [], []
    for row in range(len(y)):
        rest = [o for o in range(len(y)) if o != row]
        nearest = min(rest, key=lambda o: matrix[row][o])
        left = [o for o in range(len(y)) if o != nearest and (o != row or pairs == "full")]
        ds.append(scaled(matrix[row][nearest]))
        bs.append(scaled(weighted(sorted(matrix[nearest][o] for o in left), k)))
    alpha = np.cov(ds, bs, ddof=0)[0, 1] / np.var(bs)
    b = np.array([weighted(others(matrix, row), k) for row in range(len(y))])
    return float(np.min(scaled(distances([x], y, metric)[0]) - alpha * scaled(b)))
