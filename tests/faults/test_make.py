"""`make demo` beside another run."""

from __future__ import annotations

import fcntl
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(
    not (shutil.which("make") and shutil.which("flock")), reason="needs make and flock"
)


@pytest.fixture
def project(tmp_path, root):
    """The Makefile with an environment whose commands only say their names."""
    shutil.copy(root / "Makefile", tmp_path)
    (tmp_path / "envs").mkdir()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name in ("pyproject.toml", "envs/hashes.txt", ".venv/installed"):
        (tmp_path / name).touch()
    for name in ("snakemake", "asdflow"):
        command = tmp_path / ".venv/bin" / name
        command.write_text(f"#!/bin/sh\necho {name} ran\n")
        command.chmod(0o755)
    return tmp_path


def demo(project) -> subprocess.CompletedProcess:
    return subprocess.run(["make", "demo"], cwd=project, capture_output=True, text=True)


def test_a_second_run_says_that_another_one_is_going_on_and_does_nothing(project):
    with open(project / ".venv/run.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = demo(project)
    assert outcome.returncode
    assert "Another run of this project holds .venv/run.lock" in outcome.stderr
    assert "ran" not in outcome.stdout


def test_a_free_lock_is_no_hindrance(project):
    outcome = demo(project)
    assert outcome.returncode == 0, outcome.stderr
    assert "snakemake ran" in outcome.stdout and "asdflow ran" in outcome.stdout
