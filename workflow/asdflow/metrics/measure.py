"""What a measure is made of: terms (one AUC or pAUC each) and the mean that joins them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

import numpy as np

Scope = Literal["all", "source", "target"]

# The evaluators floor every term by this before the harmonic mean, so that a zero does not divide.
FLOOR = sys.float_info.epsilon

MAX_FPR = 0.1  # of every pAUC of DCASE Task 2


@dataclass(frozen=True)
class Term:
    """One number of a section: an AUC or pAUC of some normal clips against some anomalous ones."""

    name: str
    kind: Literal["auc", "pauc"]
    normals: Scope
    anomalies: Scope


@dataclass(frozen=True)
class Measure:
    """Terms of a section and how the terms of all sections become one number.

    Parameters
    ----------
    name : str
        Column of a section's own mean, and the metric's name in tables.
    terms : tuple of Term
        Computed in each (machine, section).
    mean : "harmonic" or "arithmetic"
        Harmonic means floor their terms at machine epsilon.
    machines_first : bool
        Average the sections of a machine, then the machines; otherwise every section counts alike.
    """

    name: str
    terms: tuple[Term, ...]
    mean: Literal["harmonic", "arithmetic"] = "harmonic"
    machines_first: bool = False

    def forward(self, values: np.ndarray) -> np.ndarray:
        """f of the mean f^-1(mean f(x)): 1 / max(x, epsilon), or x."""
        return 1.0 / np.maximum(values, FLOOR) if self.mean == "harmonic" else values

    def backward(self, values: np.ndarray) -> np.ndarray:
        """Inverse of `forward`."""
        return 1.0 / values if self.mean == "harmonic" else values

    def join(self, values: np.ndarray, axis: int = 0) -> np.ndarray:
        """Mean along an axis over the terms that exist; NaN marks one that does not."""
        exists = ~np.isnan(values)
        total = ordered_sum(np.where(exists, self.forward(np.where(exists, values, 1.0)), 0.0), axis)
        count = exists.sum(axis=axis)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(count > 0, self.backward(total / count), np.nan)


def ordered_sum(values: np.ndarray, axis: int) -> np.ndarray:
    """Sum in index order: the last bit of `numpy.sum` depends on the shape and layout of the whole array."""
    return np.take(np.cumsum(values, axis=axis), -1, axis=axis)


AUC_SOURCE = Term("auc_source", "auc", "source", "all")
AUC_TARGET = Term("auc_target", "auc", "target", "all")
PAUC = Term("pauc", "pauc", "all", "all")

_OWN_DOMAIN = (
    Term("auc_source", "auc", "source", "source"),
    Term("auc_target", "auc", "target", "target"),
)
_OWN_DOMAIN_PAUC = (
    Term("pauc_source", "pauc", "source", "source"),
    Term("pauc_target", "pauc", "target", "target"),
)

OFFICIAL = Measure("official", (AUC_SOURCE, AUC_TARGET, PAUC))
OFFICIAL_2021 = Measure("official_2021", _OWN_DOMAIN + _OWN_DOMAIN_PAUC)
OFFICIAL_2020 = Measure(
    "official_2020", (Term("auc", "auc", "all", "all"), PAUC), mean="arithmetic", machines_first=True
)
SIMPLE_RESTRICTED = Measure("simple", _OWN_DOMAIN + _OWN_DOMAIN_PAUC)
SIMPLE_JOINT = Measure("simple", (*_OWN_DOMAIN, PAUC))

MEASURES = {
    "official": OFFICIAL,
    "official_2021": OFFICIAL_2021,
    "official_2020": OFFICIAL_2020,
    "simple": SIMPLE_RESTRICTED,
    "simple_joint": SIMPLE_JOINT,
}
"""What `asdflow evaluate` can compute, by name."""


def measure_of_year(year: int | None) -> str:
    """Name of the official score of a year of DCASE Task 2; since 2022, and for no year, it is "official"."""
    return f"official_{year}" if year in (2020, 2021) else "official"
