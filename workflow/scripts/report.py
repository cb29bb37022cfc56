"""The report."""

from asdflow import report
from asdflow.presentation.results import Results
from asdflow.products import layout
from asdflow.products.study import Study
from asdflow.stages.job import run


def main(snakemake):
    """Tables, figures and recordings -> one page."""
    study = Study.from_dict(snakemake.params.study)
    figures = {
        dataset: {name: layout.path("figures", dataset=dataset, figure=name) for name in study.figures}
        for dataset in study.datasets
    }
    results, weights = Results(layout.RESULTS, study), snakemake.params.weights
    report.build(results, figures, snakemake.output[0], weights=weights)


run(main, snakemake)  # noqa: F821
