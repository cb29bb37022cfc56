"""Encoder features of every frame."""

# Kept, or removed once every pooling has read them.
kept = (lambda file: file) if study.extraction["keep_frames"] else temp


rule frames_of_machine:
    """Frozen features of every clip of a machine: time x bands x channels, for each chosen layer."""
    input:
        recordings=plan.recordings,
        clips=rules.clips.output[0],
        lengths=plan.lengths,
        checkpoints=plan.weights.files,
        noise=plan.noise,
    output:
        kept(layout.path("frames")),
    log:
        layout.log("frames"),
    benchmark:
        layout.benchmark("frames")
    wildcard_constraints:
        encoder=plan.whole,
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=plan.mem_mb,
        gpu=plan.gpu,
    params:
        data=plan.data_spec,
        root=plan.root,
        heard=plan.heard,
        sound=plan.sound_spec,
        encoder=lookup("encoders/{encoder}", within=study.as_dict()),
        code=plan.code("frames", "encoders", "encoder"),
        schema=plan.schema("frames"),
    script:
        "../workflow/scripts/frames.py"


use rule frames_of_machine as frames_of_shard with:
    output:
        temp(layout.path("shards")),
    log:
        layout.log("shards"),
    benchmark:
        layout.benchmark("shards")
    wildcard_constraints:
        encoder=plan.split,
        shard=r"\d+",
        shards=r"\d+",


rule join_frames:
    """Frames of all shards of a machine, in order: the bytes of one extraction of all clips."""
    input:
        plan.shards,
    output:
        kept(layout.path("frames")),
    log:
        layout.log("frames"),
    wildcard_constraints:
        encoder=plan.split,
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
