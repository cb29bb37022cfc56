"""One number a clip."""


rule scores_of_backend:
    """Every detector of one backend over every section of a machine, with leave-one-out self-scores."""
    input:
        clips=rules.clips.output[0],
        embeddings=rules.embeddings.output[0],
        distances=plan.distances,
    output:
        layout.path("scores"),
    log:
        layout.log("scores"),
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        detectors=plan.detectors,
        code=plan.scores_code,
        schema=plan.schema("scores"),
    script:
        "../workflow/scripts/scores.py"
