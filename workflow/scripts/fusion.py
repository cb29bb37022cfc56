"""Scores of one fusion."""

from asdflow.products import tables
from asdflow.stages.fusion import fuse_columns
from asdflow.stages.job import run


def main(snakemake):
    """Tables "scores" of every backend and machine -> table "scores" of the fusion."""
    files, params = snakemake.input.scores, snakemake.params
    scores = tables.read_systems(files, params.members)
    made_by = {"fusion": params.fusion, "members": list(scores)} | tables.inherited(*files)
    columns = fuse_columns(scores, params.fusion, snakemake.wildcards.fusion)
    tables.write(snakemake.output[0], "scores", columns, made_by)


run(main, snakemake)  # noqa: F821
