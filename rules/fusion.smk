"""One number a clip, from all detectors."""


rule fusion:
    """One fusion over every section of every machine of a data set."""
    input:
        scores=plan.fused,
    output:
        "results/fusion/{dataset}/{encoder}/{layer}/{pooling}/{fusion}.parquet",
    log:
        "results/logs/fusion/{dataset}/{encoder}/{layer}/{pooling}/{fusion}.log",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        fusion=lookup("fusions/{fusion}", within=study.as_dict()),
        members=plan.fused_systems,
        code=plan.code("fusion", "fusions", "fusion"),
        schema=plan.schema("scores"),
    script:
        "../workflow/scripts/fusion.py"
