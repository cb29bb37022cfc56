"""One look for all figures: fonts, sizes, a sheet laid out in inches, files with the same bytes every time.

Imports matplotlib: import this module inside the function that draws. No pyplot, hence no global state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from asdflow.foundation.errors import ConfigError
from asdflow.foundation.files import whole_file
from asdflow.presentation.colours import GRID, GROUND, INK, MUTED, RULE
from asdflow.presentation.words import SIMULATED

WIDTH = 8.0  # inches; the report shows a sheet at this width or larger
EDGE = 0.16  # inches of empty border
TITLE, TEXT, SMALL = 12.0, 9.0, 8.25  # points; nothing is smaller than SMALL
LEADING = 1.35  # line height over letter size

_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is there and the same on every machine
    "font.size": TEXT,
    "text.color": INK.light,
    "text.parse_math": False,  # a machine may be called "a$b$"
    "text.hinting": "none",  # letters are as wide on paper as `text_width` says
    "axes.edgecolor": RULE.light,
    "axes.labelcolor": INK.light,
    "axes.labelsize": TEXT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "axes.titlesize": TEXT,
    "figure.facecolor": GROUND.light,
    "grid.color": GRID.light,
    "grid.linewidth": 0.8,
    "xtick.color": RULE.light,
    "ytick.color": RULE.light,
    "xtick.labelcolor": MUTED.light,
    "ytick.labelcolor": MUTED.light,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "svg.hashsalt": "asdflow",  # element ids come from content, not from chance
    "svg.fonttype": "path",  # letters look and measure the same where the font is missing
    "svg.image_inline": True,
    "path.simplify": False,
}


@contextmanager
def style() -> Iterator[None]:
    """Our settings upon matplotlib's own defaults; a user's matplotlibrc changes nothing."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def text_width(text: str, size: float = TEXT, bold: bool = False) -> float:
    """Width of one line of text in inches."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72.0


def widest(texts: Sequence[str], size: float = TEXT, bold: bool = False) -> float:
    """Width in inches of the widest of some lines; 0 when there is none."""
    return max((text_width(text, size, bold) for text in dict.fromkeys(texts)), default=0.0)


def wrap(text: str, width: float, size: float = TEXT, bold: bool = False) -> list[str]:
    """Lines of a text, none wider than `width` inches; only words that are wider themselves are broken."""
    lines: list[str] = []
    for word in text.split(" "):  # other spaces hold a number and its unit together
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(joined, size, bold) <= width:
            lines[-1] = joined
            continue
        pieces = _pieces(word, width, size, bold)
        if not lines:
            lines = pieces
        else:
            lines += pieces
    return lines


def balance(text: str, width: float, size: float, bold: bool = False) -> list[str]:
    """As `wrap`, in as few lines, but of about equal length: a title does not leave a word alone."""
    lines = wrap(text, width, size, bold)
    while len(lines) > 1:
        width = max(text_width(line, size, bold) for line in lines) - 0.01
        narrower = wrap(text, width, size, bold)
        if len(narrower) > len(lines):
            break
        lines = narrower
    return lines


def _pieces(word: str, width: float, size: float, bold: bool) -> list[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and text_width(pieces[-1] + letter, size, bold) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def line_height(size: float) -> float:
    """Height of a line in inches."""
    return size * LEADING / 72.0


class Sheet(Figure):
    """A figure with a title above, a note below, and a body that is laid out in inches from its top left.

    Parameters
    ----------
    title : str
        The finding or the question. Wrapped, never cut.
    lead : str
        One sentence on how to read the picture: what a mark is, n, which interval.
    body : (width, height)
        Inches. The sheet is as wide as the body, at least `WIDTH`.
    note : str
        Small print below: choices that were made, what is left out.
    simulated : bool
        Adds the sentence that every picture of simulated sound must carry.
    """

    def __init__(
        self, title: str, lead: str, body: tuple[float, float], note: str = "", simulated: bool = False
    ) -> None:
        wide = max(WIDTH, body[0] + 2 * EDGE)
        room = wide - 2 * EDGE
        self.title, self.lead, self.note = title, lead, note
        blocks = [(balance(title, room, TITLE, True), TITLE, True), (wrap(lead, room, TEXT), TEXT, False)]
        notes = wrap(note, room, SMALL) + (wrap(SIMULATED, room, SMALL) if simulated else [])
        head = EDGE + sum(len(lines) * line_height(size) for lines, size, _ in blocks) + 0.14
        foot = EDGE + len(notes) * line_height(SMALL) + (0.1 if notes else 0.0)
        super().__init__(figsize=(wide, head + body[1] + foot), dpi=96)
        self._wide, self._high, self._head = wide, head + body[1] + foot, head
        self.body = (
            72.0 * head,
            72.0 * body[1],
        )  # its top and height in points, for who shows the words apart
        top = EDGE
        for lines, size, bold in blocks:
            colour = INK.light if bold else MUTED.light
            for line in lines:
                self._line(top, line, size, colour, bold)
                top += line_height(size)
        top = head + body[1] + 0.1
        for line in notes:
            important = simulated and line in wrap(SIMULATED, room, SMALL)
            self._line(top, line, SMALL, INK.light if important else MUTED.light, important)
            top += line_height(SMALL)

    def _line(self, top: float, text: str, size: float, colour: str, bold: bool) -> None:
        self.text(
            EDGE / self._wide,
            1.0 - (top + size / 72.0) / self._high,
            text,
            fontsize=size,
            color=colour,
            fontweight="bold" if bold else "normal",
            va="baseline",
        )

    def panel(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes at a place in the body, inches from its top left corner."""
        return self.add_axes(
            (
                (EDGE + left) / self._wide,
                1.0 - (self._head + top + height) / self._high,
                width / self._wide,
                height / self._high,
            )
        )

    def write(self, left: float, top: float, text: str, size: float = TEXT, **how) -> None:
        """One line of text in the body; `top` is its baseline. Options as of `matplotlib.text.Text`."""
        self.text(
            (EDGE + left) / self._wide, 1.0 - (self._head + top) / self._high, text, fontsize=size, **how
        )


def message(title: str, reason: str, simulated: bool = False) -> Sheet:
    """A sheet for a picture that cannot be drawn: it says why in words."""
    return Sheet(title, reason, (WIDTH - 2 * EDGE, 0.05), simulated=simulated)


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure: SVG or PNG by the suffix of `path`; equal figures give equal bytes.

    The SVG carries the words of a `Sheet` and the place of its body as metadata: the file explains itself.
    Raises ConfigError for another suffix.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("svg", "png"):
        raise ConfigError(path, f"figures are not written as {kind!r}", "Call the file .svg or .png.")
    metadata: dict[str, str | None] = {"Software": "asdflow"}
    if kind == "svg":
        metadata = {"Date": None, "Creator": "asdflow"}
        if isinstance(figure, Sheet):
            metadata |= {
                "Title": figure.title,
                "Description": f"{figure.lead}\n{figure.note}",
                "Coverage": "body {:.2f} {:.2f}".format(*figure.body),
            }
    with style(), whole_file(path) as partial:
        figure.savefig(partial, format=kind, dpi=96 if kind == "svg" else 192, metadata=metadata)
