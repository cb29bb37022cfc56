"""Clips table of one machine."""

from pathlib import Path

from asdflow import clips, datasets, tables
from asdflow.job import run


def main(snakemake):
    """Recordings -> table "clips"."""
    spec, names = snakemake.params.spec, snakemake.wildcards
    table = clips.table(datasets.build(spec), names.dataset, Path.cwd(), names.machine)
    tables.write(snakemake.output[0], "clips", table, {"data": spec, "dataset": names.dataset})


run(main, snakemake)  # noqa: F821
