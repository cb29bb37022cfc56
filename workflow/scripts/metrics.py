"""Metrics of every system of one encoder, layer and pooling."""

from asdflow import tables
from asdflow.evaluation import metric_columns
from asdflow.job import run


def main(snakemake):
    """Tables "scores" of every system and machine -> table "metrics"."""
    params, files = snakemake.params, list(snakemake.input.scores)
    machines = len(files) // len(params.systems)
    scores = {
        system: [tables.read(file, "scores") for file in files[place * machines : (place + 1) * machines]]
        for place, system in enumerate(params.systems)
    }
    names = {key: snakemake.wildcards[key] for key in ("dataset", "encoder", "layer", "pooling")}
    columns = metric_columns(scores, params.systems, names, **params.options)
    tables.write(snakemake.output[0], "metrics", columns, names | {"options": params.options})


run(main, snakemake)  # noqa: F821
