"""One vector a clip."""

from asdflow import tables
from asdflow.embedding import embed
from asdflow.job import run


def main(snakemake):
    """Tables "clips" and "frames" -> table "embeddings"."""
    clips = tables.read(snakemake.input.clips, "clips")
    spec, layer = snakemake.params.pooling, snakemake.wildcards.layer
    columns = embed(clips, snakemake.input.frames, layer, spec)
    tables.write(snakemake.output[0], "embeddings", columns, {"pooling": spec, "layer": layer})


run(main, snakemake)  # noqa: F821
