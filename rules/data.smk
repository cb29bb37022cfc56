"""Recordings: computed, or obtained and verified."""


rule simulate:
    """Sounds of one simulated machine, in the folders and names of DCASE."""
    output:
        directory(layout.path("recordings")),
    log:
        layout.log("simulate/{dataset}/{machine}"),
    benchmark:
        layout.benchmark("simulate/{dataset}/{machine}")
    wildcard_constraints:
        dataset=plan.simulated,
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        spec=plan.data_spec,
        code=plan.code("simulate", "datasets", "dataset"),
    script:
        "../workflow/scripts/simulate.py"


rule obtain:
    """One archive of DCASE: downloaded or found, verified, unpacked. Unchanged bytes are never fetched twice."""
    input:
        own=plan.own_archive,
    output:
        "{store}/dcase{year}/{part}/{machine}.json",
    log:
        layout.log("obtain/{store}/{year}/{part}/{machine}"),
    wildcard_constraints:
        year="20[0-9][0-9]",
        part="development|additional_training|evaluation",
        store=".+",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=500,
        downloads=1,
    params:
        archive=plan.archive,
    script:
        "../workflow/scripts/obtain.py"


rule labels:
    """The organisers' list of the labels of a year's evaluation clips, verified."""
    output:
        "{store}/dcase{year}/labels/{file}.csv",
    log:
        layout.log("labels/{store}/{year}/{file}"),
    wildcard_constraints:
        year="20[0-9][0-9]",
        store=".+",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=500,
    script:
        "../workflow/scripts/labels.py"
