"""Pictures for people."""


rule figures_of_dataset:
    """Every figure of one data set, as vector graphics."""
    input:
        metrics=lambda wildcards: plan.grid.files("metrics", dataset=wildcards.dataset),
        scores=lambda wildcards: plan.all_scores(dataset=wildcards.dataset),
        clips=plan.clips,
    output:
        report(
            [layout.path("figures", figure=figure) for figure in study.figures],
            caption="../workflow/report/figure.rst",
            category="Figures",
            subcategory="{dataset}",
        ),
    log:
        layout.log("figures/{dataset}"),
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        study=study.as_dict(),
        code=plan.figures_code,
    script:
        "../workflow/scripts/figures.py"
