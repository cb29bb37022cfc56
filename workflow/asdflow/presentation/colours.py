"""Colours by name: the same colour is the same thing in every figure, on light and on dark ground.

Every colour a figure may use is a token with a light value (which the files on disk show) and a dark one
(which the report shows to readers who prefer it). Light values are all different, so that the report can
find them in a drawing and give each its name. The system colours were chosen by search in OKLab: any
two stay apart in normal vision and under simulated protanopia, deuteranopia and tritanopia.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Token:
    """A colour and its counterpart on dark ground, both "#rrggbb"."""

    light: str
    dark: str


INK = Token("#1c2127", "#e7eaee")
MUTED = Token("#59626d", "#a5aeb9")
RULE = Token("#9aa3ad", "#69737f")
GRID = Token("#e1e5e9", "#2f363e")
GROUND = Token("#ffffff", "#171b20")

SOURCE = Token("#0072b2", "#5bb0e6")
TARGET = Token("#d55e00", "#ff9550")
NO_DOMAIN = Token("#5a636f", "#aab3be")

SYSTEMS = (
    Token("#17a39c", "#4fd8cf"),
    Token("#831164", "#d0408f"),
    Token("#95960d", "#dfe04a"),
    Token("#8c62e5", "#d794f5"),
    Token("#1224cc", "#6f6af5"),
    Token("#855017", "#a86a1c"),
    Token("#043b17", "#6fb552"),
)
# Shape repeats what colour says, for print in grey and for more systems than colours.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")

# AUC in classes of 5 points: brown below chance, teal above.
HEAT_EDGES = (0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95)
HEAT = (
    Token("#b97f2a", "#c18a35"),
    Token("#dfb878", "#7d5c26"),
    Token("#f3e3c8", "#43351f"),
    Token("#e9f4f2", "#263236"),
    Token("#c9e7e1", "#2b4545"),
    Token("#a7d9cf", "#2e5854"),
    Token("#83c7bb", "#326e67"),
    Token("#5cb4a5", "#34847b"),
    Token("#3a9e90", "#3a9c90"),
    Token("#23877a", "#46b6a7"),
    Token("#0a7064", "#5acebd"),
    Token("#05574e", "#81e1d1"),
    Token("#023f38", "#a5f5e6"),
)
_DARK_INK, _LIGHT_INK = "#0e1215", "#f9fbfb"


def heat_class(value: float) -> int:
    """Index into HEAT of an AUC in [0, 1]."""
    return sum(value >= edge for edge in HEAT_EDGES)


def luminance(colour: str) -> float:
    """Relative luminance of "#rrggbb" (WCAG 2.2)."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _readable_on(colour: str) -> str:
    return max((_DARK_INK, _LIGHT_INK), key=lambda ink: contrast(ink, colour))


# Each heat class has an ink of its own, a shade apart from the others, so that it too can change by theme.
HEAT_INK = tuple(
    Token(
        f"{_readable_on(token.light)[:5]}{int(_readable_on(token.light)[5:], 16) - 13 + index:02x}",
        _readable_on(token.dark),
    )
    for index, token in enumerate(HEAT)
)


def tokens() -> dict[str, Token]:
    """Every token by the name that the report's style sheet gives it."""
    named = {
        "ink": INK,
        "muted": MUTED,
        "rule": RULE,
        "grid": GRID,
        "ground": GROUND,
        "source": SOURCE,
        "target": TARGET,
        "no-domain": NO_DOMAIN,
    }
    for name, family in (("system", SYSTEMS), ("heat", HEAT), ("heat-ink", HEAT_INK)):
        named |= {f"{name}-{index}": token for index, token in enumerate(family)}
    return named


@dataclass(frozen=True)
class Mark:
    """How a system is drawn everywhere: colour and marker."""

    colour: str
    marker: str

    @property
    def scale(self) -> float:
        """Factor that gives every shape about the same area."""
        return {"D": 0.9, "P": 1.3, "X": 1.3}.get(self.marker, 1.0)


def marks(names: Iterable[str]) -> dict[str, Mark]:
    """Mark of every system of a study, from the order of its configuration.

    Names beyond the number of colours repeat a colour with another marker; 63 combinations.
    """
    count = len(SYSTEMS)
    return {
        name: Mark(SYSTEMS[i % count].light, MARKERS[(i + i // count) % len(MARKERS)])
        for i, name in enumerate(names)
    }
