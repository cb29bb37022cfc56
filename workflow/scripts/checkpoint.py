"""A weight file, fetched from the first source that has it and verified."""

from pathlib import Path

from asdflow import checkpoints
from asdflow.job import run


def main(snakemake):
    """Registry entry -> file of the registered hash."""
    checkpoints.fetch(snakemake.params.entry["name"], Path(snakemake.output[0]).parent)


run(main, snakemake, echo=True)  # noqa: F821
