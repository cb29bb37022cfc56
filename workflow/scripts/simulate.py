"""Sounds of one simulated machine."""

from pathlib import Path

from asdflow import datasets
from asdflow.datasets.factory import generate
from asdflow.stages.job import run


def main(snakemake):
    """params.spec -> a folder of wav files with its attributes table."""
    data = datasets.build(snakemake.params.spec)
    generate(data, snakemake.wildcards.machine, Path(snakemake.output[0]))


run(main, snakemake)  # noqa: F821
