"""Figures inside the page: SVG files made part of the document, in its colours, their words as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from asdflow.foundation.errors import ProductError
from asdflow.presentation.colours import tokens

_PROLOGUE = re.compile(r"^.*?(?=<svg )", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_STYLE = re.compile(r"\s*<style.*?</style>", re.DOTALL)  # it would rule the whole page; style.css has it
_TITLE = re.compile(r"\s*<title>(.*?)</title>", re.DOTALL)
_WORDS = re.compile(r"<dc:description>(.*?)\n(.*?)</dc:description>", re.DOTALL)
_BODY = re.compile(r"<dc:coverage>body ([0-9.]+) ([0-9.]+)</dc:coverage>")
_VIEW = re.compile(r'\sviewBox="0 0 ([0-9.]+) ([0-9.]+)"')
_SIZE = re.compile(r'\s(?:width|height)="[0-9.]+pt"')
_ID = re.compile(r'(\bid="|url\(#|href="#)')
_BREAKS = re.compile(r"\n\s*")


@dataclass(frozen=True)
class Drawing:
    """One figure, its words apart from its picture so that they wrap and can be read out.

    Attributes
    ----------
    name : str
        Entry of the configuration.
    title, lead, note : str
        Finding, how to read the picture, small print; escaped for XML.
    width : float
        Natural width in CSS pixels: below it the letters would become too small.
    svg : str
        The picture as an element for the page; empty where the figure is words alone.
    """

    name: str
    title: str
    lead: str
    note: str
    width: float
    svg: str


def inline(name: str, path: str | Path, prefix: str) -> Drawing:
    """Read an SVG that `asdflow.presentation.plotting.save` wrote.

    Parameters
    ----------
    name : str
    prefix : str
        Unique on the page; put before every id, as ids of several drawings would clash.

    Raises
    ------
    ProductError
        The file is missing or is no such SVG.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProductError(path, "does not exist", "Run snakemake to build it.") from None
    title, words, body, view = (one.search(text) for one in (_TITLE, _WORDS, _BODY, _VIEW))
    if title is None or words is None or body is None or view is None:
        raise ProductError(
            path, "is not a figure of this project", "Delete the file and run snakemake to rebuild it."
        )
    top, height, width = float(body.group(1)), float(body.group(2)), float(view.group(1))
    picture = ""
    if height > 10.0:
        picture = _PROLOGUE.sub("", text, count=1)
        for part in (_METADATA, _TITLE, _STYLE, _COMMENT, _SIZE):
            picture = part.sub("", picture)
        # The words above and below stay in the drawing, out of view: their letters are shared.
        picture = _VIEW.sub(f' viewBox="0 {top - 4:.2f} {width:g} {height + 8:.2f}"', picture, count=1)
        picture = _ID.sub(lambda found: f"{found.group(1)}{prefix}-", picture)
        for token, value in tokens().items():
            picture = picture.replace(value.light, f"var(--{token})")
        picture = picture.replace("fill: var(--ground)", "fill: none", 1)  # the sheet itself
        picture = picture.replace("<svg ", f'<svg role="img" aria-label="{title.group(1)}" ', 1)
        picture = _BREAKS.sub("\n", picture).strip()
    return Drawing(name, title.group(1), words.group(1), words.group(2), width * 96 / 72, picture)
