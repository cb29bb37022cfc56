"""The DAG exists before any data does, has the documented targets, and is clean by Snakemake's own rules."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def snakemake(root, tmp_path, *arguments):
    command = [sys.executable, "-m", "snakemake", "--directory", str(tmp_path), "--snakefile"]
    return subprocess.run(
        [*command, str(root / "Snakefile"), *arguments], cwd=root, capture_output=True, text=True
    )


@pytest.mark.parametrize("config", ["demo.yaml", "config.yaml"])
def test_a_dry_run_of_everything_works_before_anything_was_downloaded(root, tmp_path, config):
    outcome = snakemake(root, tmp_path, "-n", f"--configfile=config/{config}", "all")
    assert outcome.returncode == 0, outcome.stderr
    assert "report" in outcome.stdout


def test_the_dag_can_be_drawn_before_anything_was_downloaded(root, tmp_path):
    outcome = snakemake(root, tmp_path, "--dag", "--configfile=config/demo.yaml", "all")
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.lstrip().startswith("digraph")


@pytest.mark.parametrize("target", ["all", "frames", "scores", "metrics", "figures", "report"])
def test_every_documented_target_exists(root, tmp_path, target):
    outcome = snakemake(root, tmp_path, "-n", "--configfile=config/demo.yaml", target)
    assert outcome.returncode == 0, outcome.stderr


def test_lint_finds_nothing(root, tmp_path):
    outcome = snakemake(root, tmp_path, "--lint", "--configfile=config/demo.yaml")
    assert "Congratulations" in outcome.stdout + outcome.stderr, outcome.stdout + outcome.stderr


def test_rules_are_formatted(root):
    outcome = subprocess.run(
        [sys.executable, "-m", "snakefmt", "--check", "Snakefile", "rules"], cwd=root, capture_output=True
    )
    assert outcome.returncode == 0, outcome.stderr.decode()


def test_a_wrong_configuration_stops_before_any_job_and_names_the_line(root, tmp_path):
    text = (root / "config/demo.yaml").read_text().replace("name: gem, p: 3.0", "name: gem, q: 3.0")
    (tmp_path / "wrong.yaml").write_text(text)
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "q: 3.0" in row)
    outcome = snakemake(root, tmp_path, "-n", f"--configfile={tmp_path / 'wrong.yaml'}", "all")
    assert outcome.returncode != 0
    printed = outcome.stdout + outcome.stderr  # a dry run reports on either
    assert f"wrong.yaml, line {line}, key poolings.gem3.q" in printed.replace("\n", "")
    assert "Known: " in printed
