"""Nearest neighbours, one bank a domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import require_both_domains, require_size
from asdflow.backends._neighbours import Metric, NeighbourBackend
from asdflow.foundation.errors import ConfigError
from asdflow.references.bank import SOURCE, TARGET
from asdflow.references.candidates import ByDomain, Candidates


@register("domain_knn")
@dataclass(frozen=True)
class DomainKNN(NeighbourBackend):
    """Mean distance to the nearest clips of each domain, and the smaller of the two.

    s(x) = min(mean of the k_source smallest d(x, y) over source y, mean of the k_target smallest over target
    y).

    Source: ASDKit (arXiv 2507.10264); GenRep (arXiv 2409.05035) with k = 1 in both banks.

    Degenerate input: a bank without one of the domains, or smaller than its k, is a ConfigError. The
    self-score of the only target clip is its distance to the source.
    """

    needs_domains: ClassVar[bool] = True

    k_source: Annotated[int, Field(ge=1, description="Source neighbours averaged.")] = 1
    k_target: Annotated[int, Field(ge=1, description="Target neighbours averaged.")] = 1
    metric: Metric = "cosine"

    def check(self, references: Candidates) -> None:
        """Both domains, each with its k."""
        require_both_domains("backend domain_knn", references.domain)
        for domain, k, name in ((SOURCE, self.k_source, "source"), (TARGET, self.k_target, "target")):
            available = int((references.domain == domain).sum())
            require_size("backend domain_knn", f"k_{name}", k, available, f"{name} references in the bank")

    @property
    def neighbours(self) -> int:
        """The larger of both."""
        return max(self.k_source, self.k_target)

    def reduce(self, nearest: ByDomain) -> np.ndarray:
        """The smaller of the two means; a domain of which nothing is left is not looked at."""
        parts = []
        for one, k, name in ((SOURCE, self.k_source, "source"), (TARGET, self.k_target, "target")):
            if one not in nearest:
                continue
            own = nearest[one][..., :k]
            left = np.isfinite(own[0]).sum(axis=-1)
            if (short := left[(left > 0) & (left < k)]).size:
                raise ConfigError(
                    f"backend domain_knn, parameter k_{name}",
                    f"is {k}, but only {short.min()} {name} references are left when a clip is left out",
                    f"Set k_{name} to {short.min()} or less.",
                )
            parts.append(own.sum(axis=-1) / k)
        return np.min(parts, axis=0)
