"""Encoder features of every frame."""

from asdflow.plan.extraction import ExtractionPlan

extraction = ExtractionPlan(study)


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
    wildcard_constraints:
        encoder=extraction.whole,
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=extraction.mem_mb,
        gpu=extraction.gpu,
    params:
        data=plan.data_spec,
        sound=plan.sound_spec,
        encoder=lookup("encoders/{encoder}", within=study.as_dict()),
        code=plan.code("frames", "encoders", "encoder"),
        schema=plan.schema("frames"),
    script:
        "../workflow/scripts/frames.py"


use rule frames_of_machine as frames_of_shard with:
    output:
        temp("results/shards/{dataset}/{encoder}/{machine}/{shard}-of-{shards}.parquet"),
    log:
        "results/logs/shards/{dataset}/{encoder}/{machine}/{shard}-of-{shards}.log",
    benchmark:
        "results/benchmarks/shards/{dataset}/{encoder}/{machine}/{shard}-of-{shards}.tsv"
    wildcard_constraints:
        encoder=extraction.split,
        shard=r"\d+",
        shards=r"\d+",


rule join_frames:
    """Frames of all shards of a machine, in order: the bytes of one extraction of all clips."""
    input:
        extraction.parts,
    output:
        "results/frames/{dataset}/{encoder}/{machine}.parquet",
    log:
        "results/logs/frames/{dataset}/{encoder}/{machine}.log",
    wildcard_constraints:
        encoder=extraction.split,
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        code=plan.code("join_frames"),
        schema=plan.schema("frames"),
    script:
        "../workflow/scripts/join_frames.py"
