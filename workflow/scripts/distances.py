"""Distances of every clip to the bank of its section."""

from asdflow.products import tables
from asdflow.stages.distances import distance_columns
from asdflow.stages.job import run


def main(snakemake):
    """Table "embeddings" -> table "distances"."""
    metric = snakemake.wildcards.metric
    embeddings = tables.read(snakemake.input.embeddings, "embeddings")
    made_by = {"metric": metric} | tables.inherited(snakemake.input.embeddings)
    tables.write(snakemake.output[0], "distances", distance_columns(embeddings, metric), made_by)


run(main, snakemake)  # noqa: F821
