"""The report."""

from asdflow import report
from asdflow.job import run
from asdflow.results import Results


def main(snakemake):
    """Tables, figures and recordings -> one page."""
    study = snakemake.params.study
    figures = {
        dataset: {figure: f"results/figures/{dataset}/{figure}.svg" for figure in study["figures"]}
        for dataset in study["datasets"]
    }
    report.build(Results("results", study), figures, snakemake.output[0])


run(main, snakemake)  # noqa: F821
