"""The listing of encoders and weights as lines of text, for a terminal of any width."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from asdflow.checkpoints.registry import Checkpoint, PageSource, checkpoint, names
from asdflow.checkpoints.store import ENVIRONMENT, default_folder
from asdflow.commands.encoders_listing import STATES, Row, describe, summary
from asdflow.foundation.errors import ConfigError, did_you_mean

Paint = Callable[[str, str], str]  # text, kind (a state, or "heading") -> text as it is shown

WIDE = 110  # columns from which on the name of a file stands in the line of its checkpoint
NBSP = "\N{NO-BREAK SPACE}"
AUTOMATIC, BY_HAND, NO_HASH = "automatic", "by hand", "no hash"


def plain(text: str, kind: str) -> str:
    """Text without colour."""
    return text


def listing_text(folder: str | Path | None = None, width: int = 80, paint: Paint = plain) -> str:
    """Every encoder with its weights: state, how each file comes there, size, and name.

    What it sums up to stands at the end, where a terminal shows it.

    Parameters
    ----------
    folder : path, optional
        Of the checkpoints.
    width : int
        Columns of the terminal.
    paint : callable
        Adds colour to a word, given its kind.
    """
    rows = describe(folder)
    files = [row for row in rows if row.path]
    on_disk = sum(row.state != "absent" for row in files)
    place = default_folder() if folder is None else Path(folder)
    total = (
        f"{on_disk} of {len(files)} known files of weights are in {place} ({ENVIRONMENT} names another "
        "folder). `asdflow encoders NAME` tells all about one encoder or file."
    )
    blocks = []
    for encoder, own in groupby(rows, key=lambda row: row.encoder):
        blocks.append("\n".join([_heading(encoder, width, paint), *_block(list(own), width, paint)]))
    return "\n\n".join([*blocks, _legend(rows, paint), "\n".join(_wrapped(total, width, ""))])


def full_text(name: str, folder: str | Path | None = None, width: int = 80, paint: Paint = plain) -> str:
    """Everything about one encoder or checkpoint. ConfigError when there is none of that name."""
    rows = describe(folder)
    chosen = [row for row in rows if name in (row.encoder, row.checkpoint)]
    if not chosen:
        known = dict.fromkeys(word for row in rows for word in (row.encoder, row.checkpoint) if word)
        hint = did_you_mean(name, known)
        raise ConfigError(
            f"{name!r}",
            "is neither an encoder nor one of its files of weights",
            f"{hint}`asdflow encoders` lists them.",
        )
    blocks = [_heading(chosen[0].encoder, width, paint)]
    for row in chosen:
        lines = [paint(row.checkpoint, "heading")] if row.checkpoint else []
        facts = _facts(row)
        column = max(map(len, facts)) + 2
        for label, texts in facts.items():
            for text in texts:
                lines += _wrapped(text, width, f"  {label:<{column}}")
                label = ""
        blocks.append("\n".join(lines).replace(row.state, paint(row.state, row.state), 1))
    return "\n\n".join(blocks)


def _heading(encoder: str, width: int, paint: Paint) -> str:
    first, *rest = _wrapped(summary(encoder), width, f"{encoder}  ")
    return "\n".join([first.replace(encoder, paint(encoder, "heading"), 1), *rest])


def _block(rows: list[Row], width: int, paint: Paint) -> list[str]:
    """A line for each checkpoint of an encoder; in a narrow terminal the name of the file is below."""
    if not rows[0].checkpoint:
        return [f"  {paint(rows[0].state, rows[0].state)}"]
    cells = [(row.checkpoint, row.state, _way(row), _size(row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row, (name, state, way, size) in zip(rows, cells, strict=True):
        painted = paint(state, state) + " " * (widths[1] - len(state))
        line = f"  {name:<{widths[0]}}  {painted}  {way:<{widths[2]}}  {size:>{widths[3]}}"
        lines += [f"{line}  {row.path.name}"] if width >= WIDE else [line, f"      {row.path.name}"]
    return lines


def _legend(rows: list[Row], paint: Paint) -> str:
    """What the words of the listing mean, those that occur in it."""
    states = dict.fromkeys(row.state for row in rows)
    means: dict[str, str] = {state: STATES[state] for state in STATES if state in states}
    ways = " ".join(_way(row) for row in rows if row.path)
    means |= {
        word: meaning
        for word, meaning in (
            (AUTOMATIC, "the workflow fetches the file when a study needs it"),
            (BY_HAND, "download it with a browser and put it there under this name"),
            (NO_HASH, "nobody has published one: needs `unverified: true`"),
        )
        if word in ways
    }
    longest = max(map(len, means))
    return "\n".join(f"{paint(word, word)}{' ' * (longest - len(word))}  {means[word]}" for word in means)


def _way(row: Row) -> str:
    """How the file comes there, and whether it can be checked."""
    return (AUTOMATIC if row.fetched else BY_HAND) + ("" if row.hashed else f", {NO_HASH}")


def _size(row: Row) -> str:
    return f"{row.bytes / 1e6:,.1f} MB" if row.bytes else "size unknown"


def _facts(row: Row) -> dict[str, list[str]]:
    """Label to lines of one row in full."""
    facts = {"state": [f"{row.state}: {STATES[row.state]}"]}
    if row.path:
        facts["file"] = [str(row.path)]
    if row.checkpoint in names():
        facts |= _registered(checkpoint(row.checkpoint))
    return facts


def _registered(entry: Checkpoint) -> dict[str, list[str]]:
    """What the registry knows of a checkpoint."""
    layers: dict[tuple[int, int], list[str]] = {}
    for layer, shape in entry.layers.items():
        layers.setdefault(shape, []).append(layer)
    shapes = []
    for (bands, channels), named in layers.items():
        ends = " to ".join(dict.fromkeys((named[0], named[-1])))
        shapes.append(f"{ends}: {bands} band{'s' * (bands > 1)} x {channels} channels")
    kind, value = entry.published or ("SHA-256", "not published: needs `unverified: true`")
    return {
        "title": [entry.title],
        "bytes": [f"{entry.bytes:,}" if entry.bytes else "not published"],
        kind: [value],
        "licence": [entry.licence],
        "rate": [f"{entry.sample_rate:,} Hz"],
        "layers": shapes,
        "sources": [
            f"{number}.{NBSP}{source}{' (with a browser)' if isinstance(source, PageSource) else ''}"
            for number, source in enumerate(entry.sources, 1)
        ],
        "cite": [entry.citation],
        "use": [f"{{name: {entry.encoder}, checkpoint: {entry.name}{_option(entry)}}}"],
    }


def _option(entry: Checkpoint) -> str:
    return "" if entry.published else ", unverified: true"


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    """Lines no longer than the terminal is wide, except for what must stay whole: paths, links, hashes."""
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
