"""Distances, computed once and shared by every detector that works from them."""


rule distances:
    """From every clip of a machine to the bank of its section, in one metric."""
    input:
        embeddings=rules.embeddings.output[0],
    output:
        layout.path("distances"),
    log:
        layout.log("distances"),
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
