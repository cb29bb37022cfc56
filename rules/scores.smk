"""One number a clip."""


rule scores_of_machine:
    """One detector over every section of a machine, with leave-one-out self-scores of the bank."""
    input:
        clips="results/clips/{dataset}/{machine}.parquet",
        embeddings="results/embeddings/{dataset}/{encoder}/{layer}/{pooling}/{machine}.parquet",
        distances=plan.shared_distances,
    output:
        "results/scores/{dataset}/{encoder}/{layer}/{pooling}/{detector}/{machine}.parquet",
    log:
        "results/logs/scores/{dataset}/{encoder}/{layer}/{pooling}/{detector}/{machine}.log",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        detector=lookup("detectors/{detector}", within=study.as_dict()),
        metrics=lookup("{detector}", within=study.shared_metrics),
        code=plan.code("scores", "detectors", "detector"),
        schema=plan.schema("scores"),
    script:
        "../workflow/scripts/scores.py"
