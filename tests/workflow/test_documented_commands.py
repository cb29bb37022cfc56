"""Every command that README and docs print starts as it is printed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys

import pytest
from project import ROOT, Project

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("documented")]

PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]
#: Names that stand for something of the reader's.
STANDS_FOR = {"DIR": "scores", "FOLDER": "scores", "NAME": "yamnet", "DIR/<dataset>": "scores"}


def commands(page: str, program: str) -> list[str]:
    """Commands of a program that a page prints: lines of its blocks, and `code` in its text."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:console|text|bash|sh)?\n(.*?)^```", text, re.M | re.S)
    inline = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    found = [" ".join(each.split()) for each in (*lines, *inline)]
    typed = (each for each in dict.fromkeys(found) if "..." not in each)  # shortened ones are no commands
    return [each for each in typed if each.startswith(f"{program} ")]


ALL = {
    program: [(page, one) for page in PAGES for one in commands(page, program)]
    for program in ("snakemake", "asdflow")
}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """A copy of the project, and the study that docs/own-recordings.md describes."""
    project = Project.create(tmp_path_factory.mktemp("documented") / "project")
    shutil.copytree(project.folder / "recordings", project.folder / "recordings/pumps")
    text = (ROOT / "docs/own-recordings.md").read_text(encoding="utf-8")
    study = next(block for block in re.findall(r"```yaml\n(.*?)```", text, re.S) if "detectors:" in block)
    (project.folder / "config/pump.yaml").write_text(study, encoding="utf-8")
    return project


def test_there_are_commands_to_be_tried():
    assert len(ALL["snakemake"]) > 12 and len(ALL["asdflow"]) > 12


@pytest.mark.parametrize(("page", "command"), ALL["snakemake"])
def test_a_snakemake_command_plans_what_it_says(project, page, command):
    words = shlex.split(command)[1:]
    dry = [] if {"-n", "--list", "--unlock"} & set(words) else ["--dry-run"]
    outcome = subprocess.run(
        [sys.executable, "-m", "snakemake", *dry, *words],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 0, outcome.stdout[-2000:] + outcome.stderr[-2000:]


@pytest.mark.parametrize(("page", "command"), ALL["asdflow"])
def test_an_asdflow_command_has_the_options_that_it_is_shown_with(page, command):
    from typer.testing import CliRunner

    from asdflow.commands.cli import app

    words = [STANDS_FOR.get(word, word) for word in shlex.split(command)[1:]]
    outcome = CliRunner().invoke(app, [*words, "--help"])
    assert outcome.exit_code == 0, outcome.output
    assert "Usage" in outcome.output
