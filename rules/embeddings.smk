"""One vector a clip."""


rule embeddings:
    """One pooling over the frames of every clip of a machine."""
    input:
        clips=rules.clips.output[0],
        frames=rules.frames_of_machine.output[0],
    output:
        layout.path("embeddings"),
    log:
        layout.log("embeddings"),
    wildcard_constraints:
        dataset=plan.with_sound,
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


rule embeddings_given:
    """The vectors of a machine that came ready-made: no sound, no encoder, no pooling."""
    input:
        clips=rules.clips.output[0],
        vectors=plan.given_vectors,
    output:
        layout.path("embeddings", layer=GIVEN, pooling=GIVEN),
    log:
        layout.log("embeddings", layer=GIVEN, pooling=GIVEN),
    wildcard_constraints:
        dataset=plan.with_vectors,
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        spec=plan.given_spec,
        vectors=plan.vectors_given,
        code=plan.code("embeddings_given", "datasets", "dataset"),
        schema=plan.schema("embeddings"),
    script:
        "../workflow/scripts/embeddings_given.py"
