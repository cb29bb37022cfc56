"""One archive of DCASE."""

from pathlib import Path

from asdflow.datasets.dcase import of_store
from asdflow.stages.job import run


def main(snakemake):
    """Download or own copy -> unpacked folder and its manifest."""
    names = snakemake.wildcards
    data = of_store(snakemake.config["datasets"], names.store, names.year)
    data.obtain(Path.cwd(), names.part, names.machine)


run(main, snakemake, echo=True)  # noqa: F821
