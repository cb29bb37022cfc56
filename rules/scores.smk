"""One number a clip."""

for backend, detectors in plan.detectors_of.items():

    rule:
        """Every detector of one backend over every section of a machine, with leave-one-out self-scores."""
        name:
            f"scores_{backend}"
        input:
            clips="results/clips/{dataset}/{machine}.parquet",
            embeddings="results/embeddings/{dataset}/{encoder}/{layer}/{pooling}/{machine}.parquet",
            distances=expand(
                "results/distances/{{dataset}}/{{encoder}}/{{layer}}/{{pooling}}/{metric}/{{machine}}.parquet",
                metric=plan.metrics_of(backend),
            ),
        output:
            expand(
                "results/scores/{{dataset}}/{{encoder}}/{{layer}}/{{pooling}}/{detector}/{{machine}}.parquet",
                detector=detectors,
            ),
        log:
            f"results/logs/scores/{{dataset}}/{{encoder}}/{{layer}}/{{pooling}}/{backend}/{{machine}}.log",
        conda:
            "../envs/asdflow.yaml"
        threads: 1
        resources:
            mem_mb=2000,
        params:
            detectors=plan.specs_of(backend),
            metrics=plan.metrics_of(backend),
            code=plan.code_of(backend),
            schema=plan.schema("scores"),
        script:
            "../workflow/scripts/scores.py"
