"""asdflow: from recordings to a report. See README.md, config/README.md and the rules in rules/."""

import os

from asdflow.config.remembered import remember
from asdflow.plan.network import require_hosts
from snakemake.logging import logger
from snakemake.utils import min_version

min_version("9.27")

# Jobs inherit it: looking for plugins that do not exist costs each of them a tenth of its time.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/clips.smk"
include: "rules/encoders.smk"
include: "rules/frames.smk"
include: "rules/embeddings.smk"
include: "rules/distances.smk"
include: "rules/scores.smk"
include: "rules/fusion.smk"
include: "rules/metrics.smk"
include: "rules/figures.smk"
include: "rules/report.smk"
include: "rules/targets.smk"


wildcard_constraints:
    **plan.patterns,
    machine="[^/]+",
    layer="[^/]+",


onstart:
    from asdflow.plan.foreseen import foresee  # here: every job reads this file

    try:
        for text in foresee(plan):
            logger.warning(f"WARNING {text}")
        require_hosts(
            plan,
            [(job.rule.name, job.wildcards) for job in workflow.dag.needrun_jobs()],
        )
        remember(config)
    except AsdflowError as error:
        raise WorkflowError(str(error)) from None


report: os.path.join(workflow.basedir, "workflow/report/workflow.rst")


localrules:
    all,
    frames,
    scores,
    metrics,
    figures,


rule all:
    """Everything: the report, the leaderboard and every figure."""
    default_target: True
    input:
        layout.path("report"),
        layout.path("leaderboard"),


rule frames:
    """Encoder features of every data set."""
    input:
        plan.grid.files("frames"),


rule scores:
    """Scores of every detector and fusion."""
    input:
        plan.all_scores(),


rule metrics:
    """Metrics with confidence intervals."""
    input:
        plan.grid.files("metrics"),


rule figures:
    """Pictures."""
    input:
        plan.grid.files("figures"),
