"""Weights of frozen encoders, verified before use."""


rule checkpoint:
    """A weight file from the first of its sources that has it; wrong bytes are refused."""
    output:
        str(plan.weights.folder / "{file}"),
    log:
        layout.log("checkpoint/{file}"),
    wildcard_constraints:
        file="[^/]+",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        entry=plan.weights.entry,
    script:
        "../workflow/scripts/checkpoint.py"


rule hub_model:
    """A model of the Hugging Face hub at one commit; other bytes than the hub states are refused."""
    output:
        directory(str(plan.weights.hub_folder("{owner}/{model}", "{revision}"))),
    log:
        layout.log("hub_model/{owner}/{model}/{revision}"),
    wildcard_constraints:
        owner="[^/]+",
        model="[^/]+",
        revision="[0-9a-f]{40}",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    script:
        "../workflow/scripts/hub_model.py"
