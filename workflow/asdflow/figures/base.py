"""What every figure is: drawn from results under one style, never from state that another figure left."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from asdflow.presentation.plotting import Sheet
    from asdflow.presentation.results import Results


class Picture(ABC):
    """Base of every figure: a frozen dataclass whose fields are the options of its configuration entry."""

    needs_values: ClassVar[bool] = True
    """Draws metrics: where a data set has none, the sheet says why instead."""
    needs_sweeps: ClassVar[bool] = False
    """Has something to show only where the study sweeps a parameter; it is not drawn unasked otherwise."""

    def draw(self, results: Results, dataset: str) -> Sheet:
        """Matplotlib figure of one data set, titled by its finding or question.

        Where the data set has nothing to show (one system only, no domains, no labels) the sheet says so in
        words: a figure that was asked for always exists.

        Raises
        ------
        ConfigError
            An option names a system, encoder or pooling that the study does not have.
        ProductError
            A table of the data set is missing or broken.
        """
        from asdflow.presentation import evidence, plotting

        with plotting.style():
            if self.needs_values and (reason := evidence.no_values(results, dataset)):
                return plotting.message(
                    f"{dataset}: nothing to draw", f"{reason}.", results.simulated(dataset)
                )
            return self.paint(results, dataset)

    @abstractmethod
    def paint(self, results: Results, dataset: str) -> Sheet:
        """`draw` without the style."""
