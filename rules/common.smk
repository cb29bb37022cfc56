"""The checked study and the files it asks for. No rules here; what decides anything is in the library."""

from pathlib import Path

from asdflow.config import load, reading
from asdflow.foundation.errors import AsdflowError
from asdflow.foundation.names import require_path
from asdflow.plan.plan import Plan
from asdflow.plan.targets import Targets
from asdflow.products import layout
from asdflow.products.study import GIVEN
from snakemake.exceptions import WorkflowError

# A file named with --configfile is the whole study; without one, the default study is read. Snakemake has read
# the same files as YAML 1.1; what counts is what our own reader, which every other command uses too, finds.
files = workflow.overwrite_configfiles or [
    os.path.join(workflow.basedir, "config/config.yaml")
]

try:
    require_path(
        workflow.basedir,
        "the folder of the Snakefile",
        "Move the clone to a folder without them.",
    )
    written = reading.read(files, workflow.config_settings.config_args)
    study = load(written, files)
    plan = Plan(study, Path.cwd())
    plan.machines
    plan.weights.require()
    targets = Targets(plan)
except AsdflowError as error:
    raise WorkflowError(str(error)) from None

config.clear()
config.update(written)
