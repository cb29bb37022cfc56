"""A DCASE study from nothing, over HTTP, with a server that speaks the records API."""

from __future__ import annotations

import pytest
from project import Project
from server import Fault, Server, Size, simulate

from asdflow import tables

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

CONFIG = """\
datasets:
  first: {kind: dcase, year: 2023, machines: [fan, grinder], keep_zip: false}
encoders:
  logmel: {name: logmel}
poolings:
  mean: {name: mean}
detectors:
  nn: {backend: {name: knn, k: 1, metric: cosine}}
metrics: {rounds: 100}
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A fresh project whose data set lies on a local server."""
    with Server() as server:
        registry = simulate(server, tmp_path / "served", [2023], Size(duration_s=0.5))
        for name, value in {
            "ASDFLOW_ZENODO": server.url,
            "ASDFLOW_DATASETS": str(registry),
            "ASDFLOW_BACKOFF": "0.01",
            "ASDFLOW_RETRIES": "2",
        }.items():
            monkeypatch.setenv(name, value)
        yield server, Project.create(tmp_path / "project", CONFIG)


def test_a_dry_run_asks_the_network_for_nothing(study):
    server, project = study
    project.run("-n", "metrics")
    assert server.requests == []


def test_development_and_evaluation_are_downloaded_scored_and_not_fetched_again(study):
    server, project = study
    project.run("metrics")
    path = project.folder / "results/metrics/first/logmel/logmel/mean.parquet"
    table = tables.read(path, "metrics")
    assert set(table.column("machine").to_pylist()) == {"all", "fan", "grinder"}
    assert {"auc_source", "auc_target", "pauc", "official"} <= set(table.column("metric").to_pylist())
    assert not list((project.folder / "data").rglob("*.zip"))

    asked = len(server.requests)
    assert "Nothing to be done" in (outcome := project.run("metrics")).stdout + outcome.stderr
    assert len(server.requests) == asked


def test_a_broken_archive_stops_its_machine_with_one_clear_error_and_the_next_run_fetches_only_it(study):
    server, project = study
    broken = "dev_fan.zip"
    server.faults[broken] = Fault(status=404)
    outcome = project.run("metrics", check=False)
    assert outcome.returncode != 0
    printed = outcome.stdout + outcome.stderr
    assert "ERROR" in printed and broken in printed and "404" in printed
    assert (project.folder / "results/frames/first/logmel/grinder.parquet").exists()

    server.faults.clear()
    before = len(server.requests)
    project.run("metrics")
    fetched = [request for request in server.requests[before:] if ".zip" in request.path]
    assert fetched and all(broken in request.path for request in fetched)
