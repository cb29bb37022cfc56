"""One page that shows everything."""


rule report:
    """Self-contained HTML page: tables, figures, and the clips to look at and listen to."""
    input:
        metrics=plan.all_metrics(),
        scores=plan.all_scores(),
        clips=plan.all_clips(),
        figures=plan.all_figures(),
    output:
        report(
            "results/report.html",
            caption="../workflow/report/page.rst",
            category="Report",
        ),
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        study=study.as_dict(),
        code=plan.code("report"),
    script:
        "../workflow/scripts/report.py"
