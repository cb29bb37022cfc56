"""Scores of one fusion."""

from asdflow.products import tables
from asdflow.stages.fusion import fuse_columns
from asdflow.stages.job import run
from asdflow.stages.scores import read_systems


def main(snakemake):
    """Tables "scores" of every detector and machine -> table "scores" of the fusion."""
    params = snakemake.params
    scores = read_systems(snakemake.input.scores, params.members)
    made_by = {"fusion": params.fusion, "members": list(scores)} | tables.inherited(*snakemake.input.scores)
    tables.write(snakemake.output[0], "scores", fuse_columns(scores, params.fusion), made_by)


run(main, snakemake)  # noqa: F821
