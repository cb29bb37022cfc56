"""From resampled values to intervals: percentile, bias-corrected and accelerated, jackknife."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from asdflow.foundation.errors import ConfigError

METHODS = ("percentile", "bca", "jackknife")


def check(rounds: int, confidence: float, method: str = "percentile") -> None:
    """Raise ConfigError unless an interval of that coverage can be read off that many resamples."""
    if not 0.0 < confidence < 1.0:
        raise ConfigError("confidence", f"is {confidence}, must lie between 0 and 1", "Write 0.95 for 95 %.")
    least = int(np.ceil(2.0 / (1.0 - confidence) - 1e-9))
    if rounds < least:
        raise ConfigError(
            "rounds",
            f"is {rounds}, but an interval of confidence {confidence} has its ends outside so few resamples",
            f"Use at least {least}; 1000 is usual.",
        )
    if method not in METHODS:
        raise ConfigError("method", f"is {method!r}", f"Use one of {', '.join(METHODS)}.")


def ends(
    value: np.ndarray,
    resampled: np.ndarray,
    left_out: np.ndarray,
    stratum: np.ndarray,
    confidence: float,
    method: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Low and high (S,) by the method's name, from value (S,), resampled (S, R) and left_out (S, J)."""
    if method == "percentile":
        return percentile(resampled, confidence)
    if method == "jackknife":
        return jackknife(value, left_out, stratum, confidence)
    return bca(value, resampled, left_out, stratum, confidence)


def percentile(resampled: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the central interval of (..., R) resampled values (Efron 1979)."""
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(resampled, (tail, 1.0 - tail), axis=-1)
    return low, high


def bca(
    value: np.ndarray, resampled: np.ndarray, left_out: np.ndarray, stratum: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Bias-corrected and accelerated interval (Efron 1987; stratified form of Davison and Hinkley 1997, 5.3).

    Parameters
    ----------
    value : (...) float
        Estimate.
    resampled : (..., R) float
    left_out : (..., J) float
        Estimates without one unit each; J = 0 gives the bias-corrected interval without acceleration.
    stratum : (J,) int
        Stratum of the unit that was left out.
    """
    normal = NormalDist()
    rounds = resampled.shape[-1]
    below = (resampled < value[..., None]).mean(axis=-1) + (resampled == value[..., None]).mean(axis=-1) / 2.0
    below = np.clip(below, 0.5 / rounds, 1.0 - 0.5 / rounds)
    bias = np.vectorize(normal.inv_cdf, otypes=[float])(below)
    cubes, squares = np.zeros(value.shape), np.zeros(value.shape)
    for index in np.unique(stratum):
        part = left_out[..., stratum == index]
        size = part.shape[-1]
        influence = (size - 1) * (part.mean(axis=-1, keepdims=True) - part) / size
        cubes += (influence**3).sum(axis=-1)
        squares += (influence**2).sum(axis=-1)
    speed = np.divide(cubes, 6.0 * squares**1.5, out=np.zeros_like(cubes), where=squares > 0)
    ends = []
    for tail in ((1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0):
        shifted = bias + normal.inv_cdf(tail)
        share = np.vectorize(normal.cdf, otypes=[float])(bias + shifted / (1.0 - speed * shifted))
        ends.append(_quantile(resampled, share))
    return ends[0], ends[1]


def jackknife(
    value: np.ndarray, left_out: np.ndarray, stratum: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """value -/+ z * standard error, the error from leaving out one unit at a time within strata (Tukey 1958).

    variance = sum_h (n_h - 1) / n_h * sum_j (value_hj - mean_h)^2, h a stratum of n_h units.
    """
    variance = np.zeros(value.shape)
    for index in np.unique(stratum):
        part = left_out[..., stratum == index]
        size = part.shape[-1]
        variance += (size - 1) / size * ((part - part.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    reach = NormalDist().inv_cdf((1.0 + confidence) / 2.0) * np.sqrt(variance)
    return value - reach, value + reach


def _quantile(values: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Quantile along the last axis, another share for each row; linear between order statistics."""
    ordered = np.sort(values, axis=-1)
    place = np.clip(share, 0.0, 1.0) * (values.shape[-1] - 1)
    floor = np.floor(place).astype(np.int64)
    above = np.minimum(floor + 1, values.shape[-1] - 1)
    low = np.take_along_axis(ordered, floor[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ordered, above[..., None], axis=-1)[..., 0]
    return low + (place - floor) * (high - low)
