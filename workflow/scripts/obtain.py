"""One archive of DCASE."""

from pathlib import Path

from asdflow.plan.plan import dcase_entry
from asdflow.stages.job import run


def main(snakemake):
    """Download or own copy -> unpacked folder and its manifest."""
    names = snakemake.wildcards
    data = dcase_entry(snakemake.config["datasets"], names.store, names.year)
    data.obtain(Path.cwd(), names.part, names.machine)


run(main, snakemake, echo=True)  # noqa: F821
