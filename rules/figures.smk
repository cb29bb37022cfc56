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
    log:
        "results/logs/figures/{dataset}.log",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        study=study.as_dict(),
        code=plan.figure_code,
    script:
        "../workflow/scripts/figures.py"
