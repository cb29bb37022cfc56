"""Encoder features of one machine."""

from asdflow import build, datasets, extraction, tables
from asdflow.audio import loader
from asdflow.job import run


def main(snakemake):
    """Clips and recordings -> table "frames"."""
    params, names = snakemake.params, snakemake.wildcards
    clips = tables.read(snakemake.input.clips, "clips")
    data = datasets.build(params.data | params.sound)
    extraction.extract(
        clips,
        loader(data, names.dataset, clips),
        build.encoder(params.encoder),
        snakemake.output[0],
        {"data": params.data, "sound": params.sound, "encoder": params.encoder},
        label=f"{names.dataset} {names.encoder} {names.machine}",
    )


run(main, snakemake, echo=True)  # noqa: F821
