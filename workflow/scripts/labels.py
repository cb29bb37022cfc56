"""Labels of the evaluation clips of a year."""

from pathlib import Path

from asdflow.datasets.dcase import of_store
from asdflow.stages.job import run


def main(snakemake):
    """Download -> list of labels."""
    names = snakemake.wildcards
    of_store(snakemake.config["datasets"], names.store, names.year).obtain_labels(Path.cwd())


run(main, snakemake, echo=True)  # noqa: F821
