"""Distances, computed once and shared by every detector that works from them."""


rule distances:
    """From every clip of a machine to the bank of its section, in one metric."""
    input:
        embeddings="results/embeddings/{dataset}/{encoder}/{layer}/{pooling}/{machine}.parquet",
    output:
        "results/distances/{dataset}/{encoder}/{layer}/{pooling}/{metric}/{machine}.parquet",
    log:
        "results/logs/distances/{dataset}/{encoder}/{layer}/{pooling}/{metric}/{machine}.log",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        code=plan.code("distances"),
        schema=plan.schema("distances"),
    script:
        "../workflow/scripts/distances.py"
