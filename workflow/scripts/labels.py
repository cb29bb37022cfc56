"""Labels of the evaluation clips of a year."""

from pathlib import Path

from asdflow.job import run
from asdflow.plan import dcase_entry


def main(snakemake):
    """Download -> list of labels."""
    names = snakemake.wildcards
    dcase_entry(snakemake.config["datasets"], names.store, names.year).obtain_labels(Path.cwd())


run(main, snakemake, echo=True)  # noqa: F821
