"""Scores of the detectors of one backend on one machine."""

from asdflow.products import tables
from asdflow.stages.job import run
from asdflow.stages.scores import score_columns


def main(snakemake):
    """Tables "clips", "embeddings" and "distances" -> table "scores"."""
    files, specs = snakemake.input, snakemake.params.detectors
    inherited = tables.inherited(files.embeddings)
    clips, embeddings = tables.read(files.clips, "clips"), tables.read(files.embeddings, "embeddings")
    tables.require_same_clips((files.embeddings, embeddings), (files.clips, clips))
    distances = {}
    for file in files.get("distances", []):
        metric, distances[metric] = tables.read_distances(file, inherited)
        tables.require_same_clips((file, distances[metric]), (files.embeddings, embeddings))
    columns = score_columns(clips, embeddings, specs, distances)
    tables.write(snakemake.output[0], "scores", columns, {"detectors": specs} | inherited)


run(main, snakemake)  # noqa: F821
