"""MemMixup: target clips are mixed with the source clips next to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from asdflow.backends._base import require_size
from asdflow.normalizations import register
from asdflow.normalizations._bank import domain_rows, squares
from asdflow.normalizations._base import BankNormalization
from asdflow.references.bank import SOURCE, TARGET
from asdflow.references.recipes import joined
from asdflow.references.references import References


@register("memmixup")
@dataclass(frozen=True)
class MemMixup(BankNormalization):
    """Each target clip is joined by mixtures of itself with its k nearest source clips.

    new = alpha t + (1 - alpha) s, for the k nearest source clips s of each target clip t; they count as
    target. For the cosine, unit vectors are mixed and scaled again.

    Source: Saengthong & Shinozaki, GenRep (arXiv 2409.05035), with alpha 0.9, all source clips, and Euclidean
    distance.

    Degenerate input: k larger than the number of source clips is a ConfigError; one target clip suffices. A
    self-score uses no mixture that the clip is part of.
    """

    alpha: Annotated[float, Field(ge=0.0, le=1.0, description="Share of the target clip in a mixture.")] = 0.9
    k: Annotated[
        int | None, Field(ge=1, description="Nearest source clips mixed with each target clip; null is all.")
    ] = None

    @property
    def needs_domains(self) -> bool:
        """Yes."""
        return True

    def change(self, references: References) -> References:
        """The references, then the mixtures."""
        where = f"normalization {self.name}"
        source, target = (domain_rows(references, where, domain) for domain in (SOURCE, TARGET))
        k = len(source) if self.k is None else self.k
        require_size(where, "k", k, len(source), "source references")
        away = squares(references, target)[:, source]
        near = np.sort(np.argsort(away, axis=1, kind="stable")[:, :k], axis=1)
        new = references.recipe.blend(np.repeat(target, k), source[near].ravel(), self.alpha)
        return references.remade(joined([references.recipe, new]))
