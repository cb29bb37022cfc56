"""Every year of DCASE from nothing to the report, over HTTP, in one run, and own recordings beside them."""

from __future__ import annotations

import csv

import pytest
from project import Project
from server import Server, Size, simulate

from asdflow import metrics
from asdflow.exchange import evaluate_folder
from asdflow.products import tables

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("dcase")]

# One machine of each kind of year: in both subsets, in one of them, with name quirks, without labels.
CONFIG = """\
title: Every year
datasets:
  y2020: {kind: dcase, year: 2020, machines: [ToyConveyor]}
  y2021: {kind: dcase, year: 2021, machines: [gearbox], subsets: [evaluation]}
  y2022: {kind: dcase, year: 2022, machines: [bearing], subsets: [development]}
  y2023: {kind: dcase, year: 2023, machines: [fan, grinder], keep_zip: false}
  y2024: {kind: dcase, year: 2024, machines: [RoboticArm]}
  y2025: {kind: dcase, year: 2025, machines: [ToyPet]}
  y2026: {kind: dcase, year: 2026, machines: [ToyCar, Sander], audio: {channel: 0}}
  own: {kind: folder, root: recordings, machines: [pump]}
encoders:
  logmel: {name: logmel}
poolings:
  mean: {name: mean}
detectors:
  nn: {backend: {name: knn, k: 1, metric: cosine}}
fusions:
  zmin: {name: z_min}
metrics: {rounds: 100}
report: {clips: 1}
"""
LABELS = ("score", "label", "domain")
JUDGED = {
    "y2020": {"ToyConveyor"},
    "y2021": {"gearbox"},
    "y2022": {"bearing"},
    "y2023": {"fan", "grinder"},
    "y2024": {"RoboticArm"},
    "y2025": {"ToyPet"},
    "y2026": {"ToyCar"},
    "own": {"pump"},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(server, project) after one `snakemake all`, and what a dry run before it asked of the server."""
    base = tmp_path_factory.mktemp("years")
    with Server() as server, pytest.MonkeyPatch.context() as patch:
        registry = simulate(server, base / "served", range(2020, 2027), Size(duration_s=0.5))
        patch.setenv("ASDFLOW_ZENODO", server.url)
        patch.setenv("ASDFLOW_DATASETS", str(registry))
        project = Project.create(base / "project", CONFIG)
        project.run("-n", "all")
        asked_by_dry_run = list(server.requests)
        project.run("all")
        yield server, project, asked_by_dry_run


def test_a_dry_run_asks_the_network_for_nothing(finished):
    assert finished[2] == []


def test_zips_are_kept_unless_they_shall_not(finished):
    _, project, _ = finished
    kept = {path.name for path in (project.folder / "data/zips").rglob("*.zip")}
    assert "dev_ToyCar_r2.zip" in kept and not {"dev_fan.zip", "eval_data_grinder_test.zip"} & kept


def test_every_year_reaches_the_report(finished):
    _, project, _ = finished
    with open(project.folder / "results/leaderboard.csv", newline="") as file:
        assert {row["dataset"] for row in csv.DictReader(file)} == set(JUDGED)
    page = (project.folder / "results/report.html").read_text()
    assert all(name in page for name in JUDGED)
    assert "CC BY-NC-SA 4.0" in page and "arXiv:2305.07828" in page  # terms and papers of DCASE


def test_every_machine_with_labels_is_judged_and_one_without_is_scored(finished):
    _, project, _ = finished
    for dataset, machines in JUDGED.items():
        judged = tables.read(
            project.folder / f"results/metrics/{dataset}/logmel/logmel/mean.parquet", "metrics"
        )
        rows = judged.to_pylist()
        assert {row["machine"] for row in rows if row["refused"] is None} == machines | {"all"}
        left_out = {(row["machine"], row["refused"]) for row in rows if row["refused"] is not None}
        unlabelled = {("Sander", "no labels: nothing to evaluate")}
        assert left_out == (unlabelled if dataset == "y2026" else set())
    scores = tables.read(
        project.folder / "results/scores/y2026/logmel/logmel/mean/knn/Sander.parquet", "scores"
    )
    assert set(scores.column("label").to_pylist()) == {"normal", None}


def test_2020_and_2021_are_judged_by_the_official_score_of_their_year_too(finished):
    _, project, _ = finished
    for year, measure in ((2020, metrics.official_2020), (2021, metrics.official_2021)):
        (machine,) = JUDGED[f"y{year}"]
        folder = f"y{year}/logmel/logmel/mean"
        scores = tables.read(project.folder / f"results/scores/{folder}/knn/{machine}.parquet", "scores")
        test = [row for row in scores.to_pylist() if row["split"] == "test"]
        names = ("score", "label", "machine", "section") if year == 2020 else (*LABELS, "machine", "section")
        expected = measure(*([row[name] for row in test] for name in names)).overall
        with open(project.folder / "results/leaderboard.csv", newline="") as file:
            rows = {(row["dataset"], row["system"]): row for row in csv.DictReader(file)}
        assert float(rows[f"y{year}", "nn"][f"official_{year}"]) == pytest.approx(expected, abs=1e-6)
        assert rows["y2023", "nn"][f"official_{year}"] == ""
    assert "Official score of 2020" in (project.folder / "results/report.html").read_text()


def test_only_what_the_study_needs_was_fetched_and_each_file_once(finished):
    server, _, _ = finished
    bodies = [request.path for request in server.requests if ".zip" in request.path]
    assert len(bodies) == len(set(bodies)) == 3 + 2 + 1 + 3 + 2 + 2 + 3
    lists = sorted(request.path for request in server.requests if ".csv" in request.path)
    assert lists == [f"/lists/eval_data_list_{year}.csv" for year in (2020, 2021, 2023, 2024, 2025)]


def test_a_second_run_does_nothing_and_asks_nobody(finished):
    server, project, _ = finished
    asked = len(server.requests)
    outcome = project.run("all")
    assert "Nothing to be done" in outcome.stdout + outcome.stderr
    assert len(server.requests) == asked


def test_exported_systems_evaluate_to_the_numbers_of_the_metrics(finished, tmp_path):
    import subprocess
    import sys

    _, project, _ = finished
    command = [
        sys.executable,
        "-m",
        "asdflow.commands.cli",
        "export",
        str(tmp_path),
        "--configfile",
        "config/small.yaml",
    ]
    subprocess.run([*command, "--dataset", "y2023"], cwd=project.folder, env=project.environment, check=True)
    found = evaluate_folder(tmp_path / "y2023", project.folder / "results/clips/y2023", rounds=100)
    judged = tables.read(project.folder / "results/metrics/y2023/logmel/logmel/mean.parquet", "metrics")
    official = {
        row["system"]: row["value"]
        for row in judged.to_pylist()
        if (row["machine"], row["metric"]) == ("all", "official")
    }
    assert set(official) == {"nn", "zmin"}
    assert {name: found.scores[f"logmel-logmel-mean-{name}"].overall for name in official} == official
    assert len(found.alarms) == 2
