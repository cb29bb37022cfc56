"""DADS-KNN, as it may be read: target clips are mixed with source clips, then densities normalize."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from asdflow.normalizations import register
from asdflow.normalizations._bank import domain_rows
from asdflow.normalizations._base import BankNormalization, Normalization
from asdflow.normalizations.density_ratio import DensityRatio
from asdflow.normalizations.memmixup import MemMixup
from asdflow.references.bank import SOURCE, TARGET
from asdflow.references.references import References


@register("dads")
@dataclass(frozen=True)
class DADS(Normalization):
    """An interpretation of DADS-KNN: MemMixup of the target, then the density ratio over the union.

    The report of Wu et al. (DCASE 2025 Task 2) describes target interpolation and the local density around
    each sample at inference, without a formula. This reading: mixtures mix * t + (1 - mix) * s as in
    memmixup, with as many source clips for each target clip as make the target as large as the source, then
    min over y of d(x, y) / rho(y) as in density_ratio with k.

    Degenerate input: as of those two.
    """

    mix: Annotated[float, Field(ge=0.0, le=1.0, description="Share of the target clip in a mixture.")] = 0.9
    k: Annotated[int, Field(ge=1, description="Nearest other references averaged in a density.")] = 1
    partners: Annotated[
        int | None,
        Field(ge=1, description="Source clips mixed with each target clip; null balances the two domains."),
    ] = None

    def parts(self) -> Sequence[Normalization]:
        """The mixtures, then the densities."""
        return (BalancedMemMixup(self.mix, self.partners), DensityRatio(self.k))


@dataclass(frozen=True)
class BalancedMemMixup(BankNormalization):
    """MemMixup with the number of partners that balances the domains."""

    mix: float
    partners: int | None
    name = "memmixup"

    @property
    def needs_domains(self) -> bool:
        """Yes."""
        return True

    def change(self, references: References) -> References:
        """The references, then the mixtures."""
        count = self.partners
        if count is None:
            source, target = (
                len(domain_rows(references, "normalization dads", one)) for one in (SOURCE, TARGET)
            )
            count = max(1, min(source, round(source / target) - 1))
        return MemMixup(self.mix, count).change(references)
