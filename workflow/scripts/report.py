"""The report."""

from asdflow import report
from asdflow.presentation.results import Results
from asdflow.stages.job import run


def main(snakemake):
    """Tables, figures and recordings -> one page."""
    study = snakemake.params.study
    figures = {
        dataset: {figure: f"results/figures/{dataset}/{figure}.svg" for figure in study["figures"]}
        for dataset in study["datasets"]
    }
    report.build(Results("results", study), figures, snakemake.output[0])


run(main, snakemake)  # noqa: F821
