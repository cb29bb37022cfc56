"""Named parts of the study: `snakemake --cores 8 scores/ldn`. docs/partial-runs.md lists them."""

for target in targets.names:

    rule:
        """One detector, sweep, fusion, backend, normalization or pooling, and what it needs."""
        name:
            target
        input:
            targets.files(target),
