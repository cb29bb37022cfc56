"""One vector a clip."""


rule embeddings:
    """One pooling over the frames of every clip of a machine."""
    input:
        clips="results/clips/{dataset}/{machine}.parquet",
        frames="results/frames/{dataset}/{encoder}/{machine}.parquet",
    output:
        "results/embeddings/{dataset}/{encoder}/{layer}/{pooling}/{machine}.parquet",
    log:
        "results/logs/embeddings/{dataset}/{encoder}/{layer}/{pooling}/{machine}.log",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        pooling=lookup("poolings/{pooling}", within=study.as_dict()),
        code=plan.code("embeddings", "poolings", "pooling"),
        schema=plan.schema("embeddings"),
    script:
        "../workflow/scripts/embeddings.py"
