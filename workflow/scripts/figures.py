"""Every figure of one data set."""

from asdflow import build, plotting
from asdflow.job import run
from asdflow.results import Results


def main(snakemake):
    """Tables of results -> vector graphics."""
    study, dataset = snakemake.params.study, snakemake.wildcards.dataset
    results = Results("results", study)
    for spec, path in zip(study["figures"].values(), snakemake.output, strict=True):
        plotting.save(build.figure(spec).draw(results, dataset), path)


run(main, snakemake)  # noqa: F821
