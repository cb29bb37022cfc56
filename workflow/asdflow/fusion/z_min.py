"""Z-MIN: detectors are put on one scale by their self-scores, then the least alarmed one decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.foundation.errors import ConfigError, DataError
from asdflow.fusion import register
from asdflow.geometry.statistics import Center, Scale, location_and_scale


@register("z_min")
@dataclass(frozen=True)
class ZMin:
    """Smallest of the detectors' z-scores.

    z_b(x) = (s_b(x) - m_b) / d_b with location m_b and scale d_b of detector b's self-scores, then
    s(x) = min over b of z_b(x); or their mean, maximum or soft minimum -(1/t) log mean exp(-t z).

    Source: Zhou & Wang, "Scoring Backends Matter More Than Pooling" (arXiv 2606.19269). No code is published.
    Whether its statistics are leave-one-out and include the target clips is not clear: the self-scores handed
    in decide the first (the study's are leave-one-out), `stats_from` the second.

    Degenerate input: a detector whose self-scores do not vary has no z-score and is a DataError.
    """

    stats_from: Annotated[
        Literal["all", "source"], Field(description="Bank clips whose self-scores give the statistics.")
    ] = "all"
    center: Annotated[Center, Field(description="Location of the self-scores.")] = "mean"
    scale: Annotated[
        Scale,
        Field(description="Standard deviation (divisor N) or 1.4826 x median absolute deviation."),
    ] = "sd"
    rule: Annotated[
        Literal["min", "mean", "max", "softmin"], Field(description="How the z-scores become one.")
    ] = "min"
    sharpness: Annotated[
        float, Field(gt=0.0, description="t of the soft minimum; large is the minimum, small the mean.")
    ] = 1.0

    @property
    def needs_domains(self) -> bool:
        """Uses the domain labels of the bank."""
        return self.stats_from == "source"

    def combine(
        self, scores: np.ndarray, self_scores: np.ndarray, domain: np.ndarray | None = None
    ) -> np.ndarray:
        """Fuse scores.

        Parameters
        ----------
        scores : (systems, M) float
        self_scores : (systems, N) float
            Of the same systems on the bank.
        domain : (N,) int, optional
            0 source, 1 target, of the bank.

        Returns
        -------
        (M,) float64, larger is more anomalous.

        Raises
        ------
        ConfigError
            `stats_from: source` without source clips.
        DataError
            Shapes that do not fit, NaN or infinity, self-scores that do not vary.
        """
        scores, self_scores = (np.asarray(values, dtype=np.float64) for values in (scores, self_scores))
        if scores.ndim != 2 or self_scores.ndim != 2 or len(scores) != len(self_scores) or not len(scores):
            raise DataError(
                "fusion z_min",
                f"got scores {scores.shape} and self-scores {self_scores.shape}",
                "Give (systems, M) and (systems, N) of the same systems.",
            )
        if not (np.isfinite(scores).all() and np.isfinite(self_scores).all()):
            raise DataError(
                "fusion z_min", "got scores with NaN or infinity", "Find the detector that gives them."
            )
        if self.stats_from == "source":
            if domain is None or not (np.asarray(domain) == 0).any():
                raise ConfigError(
                    "fusion z_min, parameter stats_from",
                    "is 'source', but no clip of the bank is a source clip",
                    "Give the train clips their domains, or set stats_from to all.",
                )
            self_scores = self_scores[:, np.asarray(domain) == 0]
        z = np.empty_like(scores)
        for number, (score, own) in enumerate(zip(scores, self_scores, strict=True)):
            what = f"fusion z_min: self-scores of system {number}"
            center, scale = location_and_scale(own, self.center, self.scale, what)
            z[number] = (score - center) / scale
        return self._fused(z)

    def _fused(self, z: np.ndarray) -> np.ndarray:
        """(systems, M) to (M,)."""
        if self.rule == "min":
            return z.min(axis=0)
        if self.rule == "mean":
            return z.mean(axis=0)
        if self.rule == "max":
            return z.max(axis=0)
        lowest = z.min(axis=0)
        return lowest - np.log(np.exp(-self.sharpness * (z - lowest)).mean(axis=0)) / self.sharpness
