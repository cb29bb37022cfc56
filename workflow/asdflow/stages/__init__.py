"""One function a rule, called like the rule: tables in, tables out; does not know the study or Snakemake."""
