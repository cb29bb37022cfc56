"""Recordings and the clips table."""


rule simulate:
    """Sounds of one simulated machine, in the folders and names of DCASE."""
    output:
        directory("results/data/{dataset}/{machine}"),
    log:
        "results/logs/simulate/{dataset}/{machine}.log",
    benchmark:
        "results/benchmarks/simulate/{dataset}/{machine}.tsv"
    wildcard_constraints:
        dataset="|".join(plan.of_kind("factory")) or "none",
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
        "results/logs/obtain/{store}/{year}/{part}/{machine}.log",
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
        "results/logs/labels/{store}/{year}/{file}.log",
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


rule clips:
    """One row a clip: what it is, where it is, and whether its sound can be used."""
    input:
        recordings=plan.recordings,
    output:
        "results/clips/{dataset}/{machine}.parquet",
    log:
        "results/logs/clips/{dataset}/{machine}.log",
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        spec=plan.data_spec,
        code=plan.code("clips", "datasets", "dataset"),
        schema=plan.schema("clips"),
    script:
        "../workflow/scripts/clips.py"
