"""Scores of the detectors of one backend on one machine."""

from asdflow.products import tables
from asdflow.stages.job import run
from asdflow.stages.scores import score_columns


def main(snakemake):
    """Tables "clips", "embeddings" and "distances" -> one table "scores" a detector."""
    files, specs = snakemake.input, snakemake.params.detectors
    inherited = tables.inherited(files.embeddings)
    distances = {
        metric: tables.read(file, "distances", made_by={"metric": metric} | inherited)
        for metric, file in zip(snakemake.params.metrics, files.get("distances", []), strict=True)
    }
    columns = score_columns(
        tables.read(files.clips, "clips"), tables.read(files.embeddings, "embeddings"), specs, distances
    )
    for file, name in zip(snakemake.output, specs, strict=True):
        tables.write(file, "scores", columns[name], {"detector": specs[name]} | inherited)


run(main, snakemake)  # noqa: F821
