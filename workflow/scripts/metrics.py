"""Metrics of every system of one encoder, layer and pooling."""

from asdflow.products import tables
from asdflow.stages.job import run
from asdflow.stages.metrics import metric_columns


def main(snakemake):
    """Tables "scores" of every system -> table "metrics"."""
    files, params = snakemake.input.scores, snakemake.params
    scores = tables.read_systems(files, params.systems)
    names = {key: snakemake.wildcards[key] for key in ("dataset", "encoder", "layer", "pooling")}
    columns = metric_columns(scores, params.systems, names, **params.options, measure=params.measure)
    made_by = names | {"options": params.options} | tables.inherited(*files)
    tables.write(snakemake.output[0], "metrics", columns, made_by)


run(main, snakemake)  # noqa: F821
