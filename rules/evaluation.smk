"""What the scores are worth."""


rule metrics_of_pooling:
    """AUCs, partial AUC and official score of every system, with bootstrap intervals."""
    input:
        scores=plan.evaluated,
    output:
        "results/metrics/{dataset}/{encoder}/{layer}/{pooling}.parquet",
    log:
        "results/logs/metrics/{dataset}/{encoder}/{layer}/{pooling}.log",
    benchmark:
        "results/benchmarks/metrics/{dataset}/{encoder}/{layer}/{pooling}.tsv"
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        systems=plan.systems,
        files=plan.evaluated_systems,
        options=lookup("metrics", within=study.as_dict()),
        measure=plan.measure,
        code=plan.code("metrics"),
        schema=plan.schema("metrics"),
    script:
        "../workflow/scripts/metrics.py"


rule leaderboard:
    """Every system of every data set, best first, as a table for people and programs."""
    input:
        metrics=plan.all_metrics(),
        clips=plan.all_clips(),
    output:
        report(
            "results/leaderboard.csv",
            caption="../workflow/report/leaderboard.rst",
            category="Leaderboard",
        ),
    log:
        "results/logs/leaderboard.log",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        study=study.as_dict(),
        code=plan.code("leaderboard"),
    script:
        "../workflow/scripts/leaderboard.py"
