"""The command itself, and the options that several parts of it share."""

from __future__ import annotations

from pathlib import Path

import typer

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Training-free anomalous sound detection. The study itself runs with snakemake.",
)
CONFIG = typer.Option("--configfile", help="The study.", exists=True, dir_okay=False)
MADE_OF = typer.Option(
    "--configfile",
    help="The study; default: the one that results/ were made of.",
    exists=True,
    dir_okay=False,
)
DEFAULT = Path("config/config.yaml")
STORE = Path("data")


def study_of(configfile: Path):
    """The checked study of a configuration file."""
    from asdflow.config import read

    return read([configfile])
