"""Pictures for people."""


rule figure:
    """One figure of one data set, as vector graphics."""
    input:
        metrics=lambda wildcards: plan.all_metrics(wildcards.dataset),
        scores=plan.drawn,
        clips=plan.clips,
    output:
        report(
            "results/figures/{dataset}/{figure}.svg",
            caption="../workflow/report/figure.rst",
            category="Figures",
            subcategory="{dataset}",
        ),
    log:
        "results/logs/figures/{dataset}/{figure}.log",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        study=study.as_dict(),
        code=plan.code("figure", "figures", "figure"),
    script:
        "../workflow/scripts/figure.py"
