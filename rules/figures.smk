"""Pictures for people."""


rule figures_of_dataset:
    """Every figure of one data set, as vector graphics."""
    input:
        metrics=lambda wildcards: plan.all_metrics(wildcards.dataset),
        scores=plan.drawn,
        clips=plan.clips,
    output:
        report(
            expand("results/figures/{{dataset}}/{figure}.svg", figure=study.figures),
            caption="../workflow/report/figure.rst",
            category="Figures",
            subcategory="{dataset}",
        ),
    params:
        study=study.as_dict(),
        code=plan.figure_code,
    log:
        "results/logs/figures/{dataset}.log",
    threads: 1
    resources:
        mem_mb=2000,
    conda:
        "../envs/asdflow.yaml"
    script:
        "../workflow/scripts/figures.py"
