"""Metrics of every system of one encoder, layer and pooling."""

from asdflow.products import tables
from asdflow.stages.job import run
from asdflow.stages.metrics import metric_columns
from asdflow.stages.scores import read_systems


def main(snakemake):
    """Tables "scores" of every system -> table "metrics"."""
    params = snakemake.params
    scores = read_systems(snakemake.input.scores, params.files)
    names = {key: snakemake.wildcards[key] for key in ("dataset", "encoder", "layer", "pooling")}
    columns = metric_columns(scores, params.systems, names, **params.options, measure=params.measure)
    made_by = names | {"options": params.options} | tables.inherited(*snakemake.input.scores)
    tables.write(snakemake.output[0], "metrics", columns, made_by)


run(main, snakemake)  # noqa: F821
