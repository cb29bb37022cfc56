"""A weight file, fetched from the first source that has it and verified."""

from pathlib import Path

from asdflow import checkpoints
from asdflow.stages.job import run


def main(snakemake):
    """Registry entry -> file of the registered hash, or of none where the study accepts that."""
    entry, folder = snakemake.params.entry, Path(snakemake.output[0]).parent
    checkpoints.fetch(entry["name"], folder, unverified=entry["unverified"])


run(main, snakemake, echo=True)  # noqa: F821
