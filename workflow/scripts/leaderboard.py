"""Leaderboard of the whole study."""

from asdflow.job import run
from asdflow.report import write_leaderboard
from asdflow.results import Results


def main(snakemake):
    """Tables "metrics" -> CSV."""
    write_leaderboard(Results("results", snakemake.params.study), snakemake.output[0])


run(main, snakemake)  # noqa: F821
