"""Weights of frozen encoders, verified before use."""


rule checkpoint:
    """A weight file from the first of its sources that has it; wrong bytes are refused."""
    output:
        str(plan.checkpoint_folder / "{file}"),
    log:
        "results/logs/checkpoint/{file}.log",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        entry=plan.checkpoint_entry,
    script:
        "../workflow/scripts/checkpoint.py"
