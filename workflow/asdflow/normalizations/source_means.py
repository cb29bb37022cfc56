"""Source means: the source domain is represented by as few points as the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from asdflow.backends._base import require_size
from asdflow.geometry.clustering import kmeans
from asdflow.normalizations import register
from asdflow.normalizations._bank import domain_rows, squares
from asdflow.normalizations._base import BankNormalization
from asdflow.references.bank import SOURCE, TARGET
from asdflow.references.recipes import joined
from asdflow.references.references import References


@register("source_means")
@dataclass(frozen=True)
class SourceMeans(BankNormalization):
    """The source clips are replaced by the centres of n clusters; the target clips stay.

    k-means (ten k-means++ starts, Lloyd) in the space of the backend's metric: on unit vectors for the
    cosine. `rescale` scales centres to unit length again; without it the distance is (1 - <x, c>) / 2, the
    mean cosine distance to the members.

    Source: the field's usual remedy for 990 source against 10 target clips, as described in Wilkinghoff et
    al., "Keeping the Balance" (ICASSP 2025), n = 16; published systems differ in whether centres are scaled
    again.

    Degenerate input: n larger than the number of source clips is a ConfigError. Self-scores take the clip out
    of its centre; the clustering and the densities between centres are not repeated without it.
    """

    n: Annotated[int, Field(ge=1, description="Centres that stand for the source clips.")] = 16
    n_target: Annotated[
        int | None, Field(ge=1, description="Centres that stand for the target clips; null keeps the clips.")
    ] = None
    rescale: Annotated[bool, Field(description="For the cosine: centres of unit length.")] = True

    @property
    def needs_domains(self) -> bool:
        """Yes."""
        return True

    def change(self, references: References) -> References:
        """Centres, then target clips (or their centres)."""
        where = f"normalization {self.name}"
        recipe, order = references.recipe, references.order
        parts = []
        for domain, count, parameter in ((SOURCE, self.n, "n"), (TARGET, self.n_target, "n_target")):
            rows = domain_rows(references, where, domain)
            if count is None:
                parts.append(recipe.take(rows))
                continue
            name = "source" if domain == SOURCE else "target"
            require_size(where, parameter, count, len(rows), f"{name} references")
            rows = order[np.isin(order, rows)]
            square = squares(references, rows)[:, rows]
            labels = kmeans(square, count, (self.name, name, count))
            parts.append(recipe.centres([rows[labels == label] for label in range(count)], self.rescale))
        return references.remade(joined(parts))
