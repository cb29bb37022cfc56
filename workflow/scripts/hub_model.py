"""A model of the hub, fetched at one commit and verified."""

from asdflow.checkpoints import hub
from asdflow.stages.job import run


def main(snakemake):
    """Owner, name and commit -> folder of the model."""
    names = snakemake.wildcards
    hub.fetch_model(f"{names.owner}/{names.model}", names.revision)


run(main, snakemake, echo=True)  # noqa: F821
