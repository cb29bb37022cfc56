"""Cross-domain similarity local scaling: similarity less that of the reference to its own neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from asdflow.backends import register
from asdflow.backends._base import Backend, Fitted
from asdflow.backends._neighbours import mean_of_nearest
from asdflow.backends._outlier import Duplicates
from asdflow.geometry.space import Space
from asdflow.references.bank import Embedded, Queries
from asdflow.references.density import MEAN, NeighbourDensity, looked_up
from asdflow.references.references import References, Scaling
from asdflow.references.scaled import ScaledReferences


@register("csls")
@dataclass(frozen=True)
class CSLS(Backend):
    """Negative locally scaled cosine similarity to the bank.

    s(x) = -max over y of 2 cos(x, y) - r(y), r(y) the mean cosine of y to its k nearest other references.
    With `query_term` r(x), the mean cosine of x to its k nearest references, is added, as in the original.

    Source: Lample et al., "Word translation without parallel data" (ICLR 2018), equation 7 (Conneau et al.
    there); without r(x) in anomaly detection, where it would cancel what is looked for.

    Degenerate input: k needs k + 1 references (ConfigError). By default a set of exact copies is one
    reference (`duplicates`). Self-scores are exact; where k reaches all others, r is over one fewer.
    """

    by_domain: ClassVar[bool] = True
    compares_in: ClassVar[Space] = Space("cosine")
    refuses: ClassVar[dict[str, str]] = {
        "reference": "it already subtracts how similar the surroundings of a reference are",
        "bank": "the similarity among interpolated or averaged clips is set by their number, not by the data",
    }

    k: Annotated[int, Field(ge=1, description="Neighbours whose similarity is averaged.")] = 10
    query_term: Annotated[bool, Field(description="Add the mean similarity of the clip itself.")] = False
    duplicates: Duplicates = "distinct"

    def fit(self, references: References) -> Fitted:
        """Mean similarity of every reference to its neighbours."""
        if self.duplicates == "distinct":
            references = references.distinct(looked_up(self.k, references))
        density = NeighbourDensity(references, MEAN, self.k, "backend csls", "k")
        return FittedCSLS(self, references, ScaledReferences(references, LocalScaling(), density))


class LocalScaling:
    """With d = (1 - cos) / 2: -(2 cos - r) = d / 0.25 - (2 rho + 1), rho the mean distance of a reference."""

    name, duplicates, self_density = "csls", "count", "held_out"

    def scaling(self, density: np.ndarray) -> Scaling:
        """Divisor and offset of a distance."""
        return np.full_like(density, 0.25), 2 * density + 1


@dataclass(frozen=True)
class FittedCSLS(Fitted):
    """References, as they are and at scaled distances."""

    backend: CSLS
    references: References
    scaled: ScaledReferences

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) scores."""
        return self.domain_scores(queries).min(axis=0)

    def self_scores(self) -> np.ndarray:
        """(N,) exact leave-one-out scores."""
        return self.domain_self_scores().min(axis=0)

    def domain_scores(self, queries: Queries) -> np.ndarray:
        """(domains, M) scores against each domain; r is over all references."""
        return self._score(queries)

    def domain_self_scores(self) -> np.ndarray:
        """(domains, N) exact leave-one-out scores against each domain."""
        return self._score(self.references.bank)

    def _score(self, clips: Embedded) -> np.ndarray:
        nearest, k = self.scaled.nearest(clips, 1), self.backend.k
        result = np.stack([values[0, :, 0] for _, values in sorted(nearest.items())])
        if self.backend.query_term:
            result += 1 - 2 * mean_of_nearest(self.references.nearest(clips, k), k, "backend csls")[0]
        return result
