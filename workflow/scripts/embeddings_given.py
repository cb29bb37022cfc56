"""Vectors of a machine that came ready-made."""

from pathlib import Path

from asdflow import datasets
from asdflow.products import tables
from asdflow.stages.job import run


def main(snakemake):
    """The user's vectors -> table "embeddings"."""
    spec, names = snakemake.params.spec, snakemake.wildcards
    columns = datasets.build(spec).embeddings(names.dataset, Path.cwd(), names.encoder, names.machine)
    tables.write(snakemake.output[0], "embeddings", columns, {"data": spec})


run(main, snakemake)  # noqa: F821
