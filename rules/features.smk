"""Encoder features of every frame."""


rule frames_of_machine:
    """Frozen features of every clip of a machine: time x bands x channels, for each chosen layer."""
    input:
        recordings=plan.recordings,
        clips="results/clips/{dataset}/{machine}.parquet",
        lengths=plan.lengths,
        checkpoints=plan.checkpoints,
        noise=plan.noise,
    output:
        "results/frames/{dataset}/{encoder}/{machine}.parquet",
    log:
        "results/logs/frames/{dataset}/{encoder}/{machine}.log",
    benchmark:
        "results/benchmarks/frames/{dataset}/{encoder}/{machine}.tsv"
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        data=plan.data_spec,
        sound=plan.sound_spec,
        encoder=lookup("encoders/{encoder}", within=study.as_dict()),
        code=plan.code("frames", "encoders", "encoder"),
        schema=plan.schema("frames"),
    script:
        "../workflow/scripts/frames.py"
