"""The checked study and the files it asks for. No rules here; what decides anything is in the library."""

from pathlib import Path

from asdflow.config import load
from asdflow.datasets import GIVEN
from asdflow.foundation.errors import AsdflowError
from asdflow.foundation.names import require_path
from asdflow.plan.plan import Plan
from asdflow.plan.targets import Targets
from snakemake.exceptions import WorkflowError

try:
    require_path(workflow.basedir, "the folder of the Snakefile", "Move the clone to a folder without them.")
    study = load(config, workflow.configfiles)
    plan = Plan(study, Path.cwd())
    plan.machines
    targets = Targets(plan)
except AsdflowError as error:
    raise WorkflowError(str(error)) from None
