"""Clips table of one machine."""

from pathlib import Path

from asdflow import datasets
from asdflow.products import tables
from asdflow.stages.job import run


def main(snakemake):
    """Recordings, or vectors that were given -> table "clips"."""
    spec, names = snakemake.params.spec, snakemake.wildcards
    table = datasets.build(spec).clips_table(names.dataset, Path.cwd(), names.machine)
    tables.write(snakemake.output[0], "clips", table, {"data": spec, "dataset": names.dataset})


run(main, snakemake)  # noqa: F821
