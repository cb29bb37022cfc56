"""A run without a network stops before its first job; a finished one is known to the commands that follow."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from project import Project

pytestmark = pytest.mark.workflow

CONFIG = """\
datasets:
  year: {kind: dcase, year: 2024}
  other: {kind: dcase, year: 2023}
encoders:
  logmel: {name: logmel}
poolings:
  mean: {name: mean}
detectors:
  nn: {backend: {name: knn, k: 1, metric: cosine}}
"""


def test_a_run_without_a_network_stops_with_one_message(tmp_path, monkeypatch):
    monkeypatch.setenv("ASDFLOW_ZENODO", "http://nowhere.invalid")
    project = Project.create(tmp_path, CONFIG)
    start = time.monotonic()
    outcome = project.run("all", check=False)
    assert outcome.returncode and time.monotonic() - start < 60
    text = outcome.stdout + outcome.stderr
    assert text.count("nowhere.invalid") == 1
    for words in ("cannot be reached (no network", "archives of DCASE", "`data_dir`"):
        assert words in text
    assert "Traceback" not in text
    assert not (project.folder / "results").exists()


def test_export_takes_the_study_that_the_results_were_made_of(project):
    command = [sys.executable, "-m", "asdflow.commands.cli", "export", "out"]
    outcome = subprocess.run(
        command, cwd=project.folder, env=project.environment, capture_output=True, text=True
    )
    assert outcome.returncode == 0, outcome.stderr
    assert list((project.folder / "out").rglob("anomaly_score_fan_section_00_test.csv"))
    assert "training clips above" in outcome.stdout
