"""Frames of one machine, from those of its shards."""

from asdflow.products.frames import merge
from asdflow.stages.job import run


def main(snakemake):
    """Tables "frames" of consecutive clips -> table "frames"."""
    merge(snakemake.input, snakemake.output[0])


run(main, snakemake)  # noqa: F821
