"""One number a clip, from all detectors."""


rule fusion:
    """One fusion over every section of every machine of a data set."""
    input:
        scores=plan.fused,
    output:
        layout.path("fusion"),
    log:
        layout.log("fusion"),
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        fusion=lookup("fusions/{fusion}", within=study.as_dict()),
        members=lambda wildcards: study.members[wildcards.fusion],
        code=plan.code("fusion", "fusions", "fusion"),
        schema=plan.schema("scores"),
    script:
        "../workflow/scripts/fusion.py"
