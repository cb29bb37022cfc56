"""Domain-wise density: each reference's density among the references of its own domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asdflow.backends._base import require_both_domains
from asdflow.normalizations import register
from asdflow.normalizations._density import DensityNormalization, Duplicates, HeldOut
from asdflow.references.bank import SOURCE, TARGET
from asdflow.references.density import MEAN, Density, DensityOfParts, NeighbourDensity
from asdflow.references.references import References


@register("domain_density")
@dataclass(frozen=True)
class DomainDensity(DensityNormalization):
    """Local density normalization with a neighbourhood of its own for each domain.

    s(x) = min over y of d(x, y) / rho(y), rho(y) the mean distance from y to its `k_source` (y a source clip)
    or `k_target` (y a target clip) nearest other references of the same domain.

    Source: Saengthong & Shinozaki, DCASE 2025 Task 2 report (GenRep), with k 16 and 9; there rho is the sum,
    which scales the two domains by 16 and 9. Here densities are means.

    Degenerate input: a domain needs one clip more than its k (ConfigError). Where leaving out a target clip
    leaves a target reference without neighbours, that reference is not used for that self-score.
    """

    k_source: Annotated[int, Field(ge=1, description="Nearest other source references averaged.")] = 16
    k_target: Annotated[int, Field(ge=1, description="Nearest other target references averaged.")] = 9
    form: Annotated[
        Literal["ratio", "difference"], Field(description="Divide by the density, or subtract it.")
    ] = "ratio"
    duplicates: Duplicates = "distinct"
    self_density: HeldOut = "held_out"

    @property
    def needs_domains(self) -> bool:
        """Yes."""
        return True

    @property
    def divides(self) -> bool:
        """As `form` says."""
        return self.form == "ratio"

    def density(self, references: References) -> Density:
        """Density among the references of the same domain."""
        where, parts = f"normalization {self.name}", []
        require_both_domains(where, references.domain)
        for domain, k, parameter in (
            (SOURCE, self.k_source, "k_source"),
            (TARGET, self.k_target, "k_target"),
        ):
            rows = np.flatnonzero(references.domain == domain)
            parts.append((rows, NeighbourDensity(references.take(rows), MEAN, k, where, parameter)))
        return DensityOfParts(parts)
