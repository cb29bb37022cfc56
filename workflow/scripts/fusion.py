"""Scores of one fusion on one machine."""

from asdflow import tables
from asdflow.fusing import fuse_columns
from asdflow.job import run


def main(snakemake):
    """Tables "scores" of every detector -> table "scores" of the fusion."""
    params = snakemake.params
    scores = {
        name: tables.read(file, "scores")
        for name, file in zip(params.members, snakemake.input.scores, strict=True)
    }
    made_by = {"fusion": params.fusion, "members": params.members}
    tables.write(snakemake.output[0], "scores", fuse_columns(scores, params.fusion), made_by)


run(main, snakemake)  # noqa: F821
