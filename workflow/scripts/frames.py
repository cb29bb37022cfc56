"""Encoder features of one machine, or of one shard of its clips."""

from pathlib import Path

from asdflow import checkpoints
from asdflow.clips.waveforms import loader, sound
from asdflow.pipeline import build
from asdflow.products import tables
from asdflow.stages import frames
from asdflow.stages.job import run
from asdflow.stages.usable import longest_s, require_usable


def main(snakemake):
    """Clips and recordings -> table "frames"."""
    params, names = snakemake.params, snakemake.wildcards
    clips = tables.read(snakemake.input.clips, "clips")
    (audio, noise), encoder = sound(params.sound, Path.cwd()), build.encoder(params.encoder)
    longest = longest_s(tables.read(file, "clips") for file in snakemake.input.lengths)
    needs = encoder.sample_rate, encoder.min_samples, names.encoder
    require_usable(clips, audio, *needs, longest, noise=noise is not None)
    shard = frames.shard_of(clips, int(names.get("shard", 1)), int(names.get("shards", 1)))
    made_by = {"data": params.data, "sound": params.sound, "encoder": params.encoder}
    frames.extract(
        shard,
        loader(Path(params.root), audio, noise, longest),
        encoder,
        snakemake.output[0],
        made_by | checkpoints.unverified(params.encoder) | {"runs_on": encoder.runs_on},
        threads=snakemake.threads,
        label=" ".join(names),
    )


run(main, snakemake, echo=True)  # noqa: F821
