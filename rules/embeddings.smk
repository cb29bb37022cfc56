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
    wildcard_constraints:
        dataset="|".join(plan.with_sound) or "none",
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


rule given_embeddings:
    """The vectors of a machine that came ready-made: no sound, no encoder, no pooling."""
    input:
        clips="results/clips/{dataset}/{machine}.parquet",
        vectors=plan.given_vectors,
    output:
        f"results/embeddings/{{dataset}}/{{encoder}}/{GIVEN}/{GIVEN}/{{machine}}.parquet",
    log:
        f"results/logs/embeddings/{{dataset}}/{{encoder}}/{GIVEN}/{GIVEN}/{{machine}}.log",
    wildcard_constraints:
        dataset="|".join(plan.of_kind("embeddings")) or "none",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        spec=plan.given_spec,
        code=plan.code("given", "datasets", "dataset"),
        schema=plan.schema("embeddings"),
    script:
        "../workflow/scripts/given.py"
