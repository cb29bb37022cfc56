"""Every figure of one data set."""

from asdflow import figures
from asdflow.presentation import plotting
from asdflow.presentation.results import Results
from asdflow.products.layout import RESULTS
from asdflow.products.study import Study
from asdflow.stages.job import run


def main(snakemake):
    """Tables of results -> vector graphics."""
    study, dataset = Study.from_dict(snakemake.params.study), snakemake.wildcards.dataset
    results = Results(RESULTS, study)
    for spec, path in zip(study.figures.values(), snakemake.output, strict=True):
        plotting.save(figures.REGISTRY.build(spec).draw(results, dataset), path)


run(main, snakemake)  # noqa: F821
