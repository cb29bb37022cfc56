"""SMOTE: the target domain is filled up by points between neighbouring target clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from asdflow.backends._base import require_size
from asdflow.foundation.seeds import generator
from asdflow.geometry.order import canonical_order
from asdflow.normalizations import register
from asdflow.normalizations._bank import domain_rows, squares
from asdflow.normalizations._base import BankNormalization
from asdflow.references.bank import SOURCE, TARGET
from asdflow.references.recipes import joined
from asdflow.references.references import References


@register("smote")
@dataclass(frozen=True)
class SMOTE(BankNormalization):
    """Target clips are interpolated until there are `ratio` times as many as source clips.

    new = t + u (t' - t), t' one of the k nearest other target clips of t, u uniform on [0, 1]. Every target
    clip is the start t of equally many, up to one. For the cosine, unit vectors are mixed and scaled again.

    Source: Chawla et al., JAIR 16 (2002). Parameters in the field: ratio 1 and k 4 (Wilkinghoff et al. 2025),
    ratio 0.2 and k 2 (ASDKit, arXiv 2507.10264), ratio 0.25 and k 3 (a DCASE 2026 entry).

    Draws depend on the values of the clip at single precision alone, so the order of the bank does not
    matter.

    Degenerate input: k needs k + 1 target clips (ConfigError). Where the target is as large already, nothing
    is added. A self-score uses no point that was interpolated from the clip.
    """

    k: Annotated[int, Field(ge=1, description="Nearest other target clips to interpolate to.")] = 4
    ratio: Annotated[
        float, Field(gt=0.0, description="Target references wanted, relative to the source references.")
    ] = 1.0

    @property
    def needs_domains(self) -> bool:
        """Yes."""
        return True

    def change(self, references: References) -> References:
        """The references, then the interpolated ones."""
        where = f"normalization {self.name}"
        target = domain_rows(references, where, TARGET)
        require_size(where, "k", self.k, len(target) - 1, "other target references")
        source = domain_rows(references, where, SOURCE)
        wanted = round(self.ratio * len(source)) - len(target)
        if wanted <= 0:
            return references
        vectors = references.vectors[target]
        order = canonical_order(vectors)
        target, vectors = target[order], vectors[order]
        square = squares(references, target)[:, target]
        np.fill_diagonal(square, np.inf)
        near = np.argsort(square, axis=1, kind="stable")[:, : self.k]
        first, second, share = [], [], []
        for place, row in enumerate(target):
            count = wanted // len(target) + (place < wanted % len(target))
            draw = generator(self.name, self.k, vectors[place].astype(np.float32).tobytes().hex())
            first.append(np.full(count, row))
            second.append(target[near[place, draw.integers(self.k, size=count)]])
            share.append(1.0 - draw.random(count))
        new = references.recipe.blend(*map(np.concatenate, (first, second, share)))
        return references.remade(joined([references.recipe, new]))
