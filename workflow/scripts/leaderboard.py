"""Leaderboard of the whole study."""

from asdflow.presentation.results import Results
from asdflow.products.layout import RESULTS
from asdflow.products.study import Study
from asdflow.report import write_leaderboard
from asdflow.stages.job import run


def main(snakemake):
    """Tables "metrics" -> CSV."""
    write_leaderboard(Results(RESULTS, Study.from_dict(snakemake.params.study)), snakemake.output[0])


run(main, snakemake)  # noqa: F821
