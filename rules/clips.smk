"""What is known of every clip before an encoder hears it."""


rule clips:
    """One row a clip: what it is, where it is, and whether its sound can be used."""
    input:
        recordings=plan.recordings,
    output:
        layout.path("clips"),
    log:
        layout.log("clips"),
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        spec=plan.data_spec,
        recorded=plan.recorded,
        code=plan.code("clips", "datasets", "dataset"),
        schema=plan.schema("clips"),
    script:
        "../workflow/scripts/clips.py"
