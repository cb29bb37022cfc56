"""Every figure of one data set."""

from asdflow.pipeline import build
from asdflow.presentation import plotting
from asdflow.presentation.results import Results
from asdflow.stages.job import run


def main(snakemake):
    """Tables of results -> vector graphics."""
    study, dataset = snakemake.params.study, snakemake.wildcards.dataset
    results = Results("results", study)
    for spec, path in zip(study["figures"].values(), snakemake.output, strict=True):
        plotting.save(build.figure(spec).draw(results, dataset), path)


run(main, snakemake)  # noqa: F821
