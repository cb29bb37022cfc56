"""Cross-domain similarity local scaling: similarity less that of the reference to its own neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Backend, Fitted, require_size
from asdflow.backends._neighbours import mean_of_smallest
from asdflow.bank import SOURCE, TARGET, Queries
from asdflow.density import Density, Nearest, mean_of_finite
from asdflow.references import References


@register("csls")
@dataclass(frozen=True)
class CSLS(Backend):
    """Negative locally scaled cosine similarity to the bank.

    s(x) = -max over y of 2 cos(x, y) - r(y), r(y) the mean cosine of y to its k nearest other references.
    With `query_term` r(x), the mean cosine of x to its k nearest references, is added, as in the original.

    Source: Lample et al., "Word translation without parallel data" (ICLR 2018), equation 7 (Conneau et al.
    there); without r(x) in anomaly detection, where it would cancel what is looked for.

    Degenerate input: k needs k + 1 references (ConfigError). Copies count as often as they occur. Self-scores
    are exact; where k reaches all others, r is over one fewer.
    """

    by_domain: ClassVar[bool] = True
    compares_by: ClassVar[str] = "cosine"
    refuses: ClassVar[dict[str, str]] = {
        "reference": "it already subtracts how similar the surroundings of a reference are"
    }

    k: Annotated[int, Field(ge=1, description="Neighbours whose similarity is averaged.")] = 10
    query_term: Annotated[bool, Field(description="Add the mean similarity of the clip itself.")] = False

    def fit(self, references: References) -> Fitted:
        """Mean similarity of every reference to its neighbours."""
        rule = Nearest(mean_of_finite, self.k, "backend csls", "k")
        return FittedCSLS(self, references, rule.of(references, "cosine", 1))


@dataclass(frozen=True)
class FittedCSLS(Fitted):
    """References and their mean distances. With d = (1 - cos) / 2: -(2 cos - r) = 4 d - 2 rho - 1."""

    backend: CSLS
    references: References
    density: Density

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) scores."""
        distances = self._to(queries)
        return self._score(distances, self.density.full[0], distances)

    def self_scores(self) -> np.ndarray:
        """(N,) exact leave-one-out scores."""
        distances = self._left_out()
        return self._score(distances, self.density.without()[0], distances)

    def domain_scores(self, queries: Queries) -> np.ndarray:
        """(2, M) scores against each domain; r is over all references."""
        distances, domain = self._to(queries), self.references.domain
        rho = self.density.full[0]
        return np.stack(
            [
                self._score(distances[:, domain == one], rho[domain == one], distances)
                for one in (SOURCE, TARGET)
            ]
        )

    def domain_self_scores(self) -> np.ndarray:
        """(2, N) exact leave-one-out scores against each domain."""
        distances, domain = self._left_out(), self.references.domain
        rho = self.density.without()[0]
        return np.stack(
            [
                self._score(distances[:, domain == one], rho[:, domain == one], distances)
                for one in (SOURCE, TARGET)
            ]
        )

    def _to(self, queries: Queries) -> np.ndarray:
        return self.references.to(queries, "cosine")[0]

    def _left_out(self) -> np.ndarray:
        return self.references.left_out("cosine")[0]

    def _score(self, distances: np.ndarray, rho: np.ndarray, every: np.ndarray) -> np.ndarray:
        rho = np.where(np.isfinite(rho), rho, 0.0)  # of a reference that is at infinity
        result = (4 * distances - 2 * rho).min(axis=1) - 1
        if self.backend.query_term:
            left = int(np.isfinite(every).sum(axis=1).min())
            require_size("backend csls", "k", self.backend.k, left, "references left when a clip is scored")
            result += 1 - 2 * mean_of_smallest(every, self.backend.k)
        return result
