"""One vector a clip."""

from asdflow.products import tables
from asdflow.stages.embeddings import embed
from asdflow.stages.job import run


def main(snakemake):
    """Tables "clips" and "frames" -> table "embeddings"."""
    clips = tables.read(snakemake.input.clips, "clips")
    spec, layer = snakemake.params.pooling, snakemake.wildcards.layer
    columns = embed(clips, snakemake.input.frames, layer, spec)
    made_by = {"pooling": spec, "layer": layer} | tables.inherited(snakemake.input.frames)
    tables.write(snakemake.output[0], "embeddings", columns, made_by)


run(main, snakemake)  # noqa: F821
