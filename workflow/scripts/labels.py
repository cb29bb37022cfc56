"""Labels of the evaluation clips of a year."""

from pathlib import Path

from asdflow.plan.plan import dcase_entry
from asdflow.stages.job import run


def main(snakemake):
    """Download -> list of labels."""
    names = snakemake.wildcards
    dcase_entry(snakemake.config["datasets"], names.store, names.year).obtain_labels(Path.cwd())


run(main, snakemake, echo=True)  # noqa: F821
