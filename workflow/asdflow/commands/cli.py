"""The `asdflow` command: what one does beside running the study."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from asdflow.commands import builds, scores
from asdflow.commands.app import CONFIG, DEFAULT, STORE, app, study_of
from asdflow.foundation.errors import AsdflowError

__all__ = ["app", "builds", "main", "scores", "study_of"]


def main() -> None:
    """Entry point: an error meant for the user is one line."""
    try:
        app()
    except AsdflowError as error:
        print(f"ERROR {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:  # no permission, a folder where a file should be, a disk that is gone
        print(f"ERROR {error.filename or 'a file'}: {error.strerror or error}.", file=sys.stderr)
        sys.exit(1)


@app.command()
def check(configfile: Annotated[Path, CONFIG] = DEFAULT) -> None:
    """Check a configuration, say how large its grid is, and what of it is known not to be computed."""
    from asdflow.plan.foreseen import foresee
    from asdflow.plan.plan import Plan

    study = study_of(configfile)
    plan = Plan(study, Path.cwd())
    machines = sum(len(names) for names in plan.machines.values())
    columns = len(plan.grid.files("metrics"))
    grid = f"{columns} columns (data set x encoder layer x pooling)"
    files = len(plan.all_scores())
    print(
        f"{configfile}: {len(study.datasets)} data sets with {machines} machines, {grid}, "
        f"{len(study.detectors)} detectors, {len(study.fusions)} fusions: {files} score files"
    )
    for text in foresee(plan):
        print(f"WARNING {text}")


@app.command()
def leaderboard(
    limit: Annotated[int, typer.Option(help="Rows for each data set.")] = 20,
    results: Annotated[Path, typer.Option(help="Folder of results.")] = Path("results"),
) -> None:
    """Print the best systems with their intervals."""
    from asdflow.report import leaderboard_text

    print(leaderboard_text(results, limit))


@app.command()
def encoders(
    name: Annotated[str | None, typer.Argument(help="One encoder or checkpoint, in full.")] = None,
) -> None:
    """List encoders: registered, on disk, verified or not, and where to put a file."""
    import shutil

    from asdflow.commands.encoders_text import full_text, listing_text

    width = shutil.get_terminal_size().columns
    print(full_text(name, width=width, paint=paint) if name else listing_text(width=width, paint=paint))


def paint(text: str, kind: str) -> str:
    """A word in the colour of its kind, in a terminal that is not told otherwise."""
    colours = {"verified": "green", "unverified": "yellow", "wrong file": "red"}
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return typer.style(text, fg=colours.get(kind), bold=kind == "heading")


@app.command()
def docs() -> None:
    """Write config/README.md and config/schemas/config.schema.json anew from the code."""
    from asdflow.config import documentation, schema

    documentation.write("config/README.md")
    schema.write("config/schemas/config.schema.json")


@app.command()
def data(
    years: Annotated[list[int] | None, typer.Argument(help="Only these years.")] = None,
    store: Annotated[Path, typer.Option(help="Folder of downloads.")] = STORE,
    pin: Annotated[bool, typer.Option("--pin", help="Ask for sizes and checksums, and pin them.")] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Ask whether the records are still as they were pinned.")
    ] = False,
) -> None:
    """List the DCASE data sets: records, machines, what is on disk, how each file is checked, licence."""
    from asdflow.datasets.dcase import overview, registry

    known = registry.load()
    years = list(years or known.years)
    if pin:
        overview.pin_records(known, years)
    if compare:
        overview.compare_records(known, years)
    print(overview.text(known, years, store))


if __name__ == "__main__":
    main()
