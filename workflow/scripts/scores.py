"""Scores of one detector on one machine."""

from asdflow import tables
from asdflow.job import run
from asdflow.scoring import score_columns


def main(snakemake):
    """Tables "clips", "embeddings" and "distances" -> table "scores"."""
    files, spec = snakemake.input, snakemake.params.detector
    distances = {
        metric: tables.read(file, "distances", made_by={"metric": metric})
        for metric, file in zip(snakemake.params.metrics, files.get("distances", []), strict=True)
    }
    columns = score_columns(
        tables.read(files.clips, "clips"), tables.read(files.embeddings, "embeddings"), spec, distances
    )
    tables.write(snakemake.output[0], "scores", columns, {"detector": spec})


run(main, snakemake)  # noqa: F821
