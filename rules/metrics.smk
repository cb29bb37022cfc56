"""What the scores are worth."""


rule metrics_of_pooling:
    """AUCs, partial AUC and official score of every system, with bootstrap intervals."""
    input:
        scores=plan.evaluated,
    output:
        layout.path("metrics"),
    log:
        layout.log("metrics"),
    benchmark:
        layout.benchmark("metrics")
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        systems=study.systems,
        options=lookup("metrics", within=study.as_dict()),
        measure=plan.measure,
        code=plan.code("metrics"),
        schema=plan.schema("metrics"),
    script:
        "../workflow/scripts/metrics.py"
