"""What a data set lacks is known before the run, left out with its reason, and the rest is finished."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from project import Project, write_tone

from asdflow.products import tables

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("cannot_run")]

CONFIG = """\
title: four data sets of which three lack something
datasets:
  whole: {kind: folder, root: recordings}
  unlabelled: {kind: folder, root: unlabelled}
  plain: {kind: folder, root: plain}
  one_domain: {kind: folder, root: one_domain}
encoders:
  logmel: {name: logmel}
poolings:
  mean: {name: mean}
detectors:
  nn: {backend: {name: knn, k: 1, metric: cosine}}
  apart: {backend: {name: domain_knn}}
  mixed: {backend: {name: knn, k: 1, metric: cosine}, normalization: {name: memmixup}}
  pca: {backend: {name: pca_residual, rank: 3}}
fusions:
  all: {name: z_min}
  some: {name: z_min, members: [nn, pca]}
metrics: {rounds: 100}
report: {clips: 1}
"""
NEEDING = {"apart", "mixed", "all"}
SYSTEMS = {"nn", "pca", "some", *NEEDING}
LACKING = {"plain": {"domain"}, "unlabelled": {"label"}, "one_domain": set()}


def write_table(folder: Path, lacking: set[str], targets: bool = True) -> None:
    """A clips.csv of one machine, ten train clips, four test clips a label and two a recording."""
    columns = [name for name in ("domain", "label") if name not in lacking]
    lines = [",".join(["path", "machine", "split", "recording", *columns])]
    for split, label, count in (("train", "normal", 10), ("test", "normal", 4), ("test", "anomaly", 4)):
        for number in range(count):
            domain = "target" if targets and number % 5 < 2 else "source"
            path = f"{split}_{label}_{number}.wav"
            write_tone(folder / path, [number, len(split), len(label)], 500, domain, label)
            recording = f"{split}_{label}_{number // 2}" if split == "test" else path
            known = {"domain": domain, "label": label if split == "test" else "normal"}
            lines.append(",".join([path, "mill", split, recording, *(known[name] for name in columns)]))
    (folder / "clips.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> tuple[Project, str]:
    """The finished study, and what the run said."""
    project = Project.create(tmp_path_factory.mktemp("cannot_run") / "project", CONFIG)
    for name, lacking in LACKING.items():
        write_table(project.folder / name, lacking, targets=name != "one_domain")
    outcome = project.run("all")
    return project, outcome.stdout + outcome.stderr


def rows(project: Project, dataset: str) -> dict[str, dict[str, str]]:
    """Rows of the leaderboard of a data set by system."""
    with open(project.folder / "results/leaderboard.csv", newline="") as file:
        return {row["system"]: row for row in csv.DictReader(file) if row["dataset"] == dataset}


def metrics(project: Project, dataset: str) -> list[dict]:
    """Rows of its metrics."""
    file = project.folder / f"results/metrics/{dataset}/logmel/logmel/mean.parquet"
    return tables.read(file, "metrics").to_pylist()


def asdflow(project: Project, *arguments: str) -> subprocess.CompletedProcess:
    """A command in the project."""
    command = [sys.executable, "-m", "asdflow.commands.cli", *arguments]
    return subprocess.run(
        command, cwd=project.folder, env=project.environment, capture_output=True, text=True
    )


FORESEEN = [
    "WARNING data set unlabelled gets scores and no AUC: no labels: nothing to evaluate",
    "WARNING data set plain: the train clips have no domains, so apart, mixed and all are not computed",
    "WARNING data set one_domain: the train clips have the domain source only, so apart, mixed and all "
    "are not computed",
]


def test_what_cannot_be_computed_is_said_before_the_first_job(study):
    _, said = study
    begin = said[: said.index(" 1/")]
    assert [line for line in begin.splitlines() if line.startswith("WARNING")] == FORESEEN


def test_check_says_the_same_and_is_content(study):
    outcome = asdflow(study[0], "check", "--configfile", "config/small.yaml")
    assert outcome.returncode == 0, outcome.stderr
    assert [line for line in outcome.stdout.splitlines() if line.startswith("WARNING")] == FORESEEN


def test_every_system_has_a_row_on_every_data_set_with_a_rank_or_a_reason(study):
    project, _ = study
    for dataset, computed in (
        ("whole", SYSTEMS),
        ("unlabelled", set()),
        ("plain", SYSTEMS - NEEDING),
        ("one_domain", SYSTEMS - NEEDING),
    ):
        board = rows(project, dataset)
        assert set(board) == SYSTEMS
        assert {name for name, row in board.items() if row["rank"]} == computed
        assert {name for name, row in board.items() if not row["refused"]} == computed
    assert {row["refused"] for row in rows(project, "unlabelled").values()} == {
        "no labels: nothing to evaluate"
    }
    assert "which has no domains" in rows(project, "plain")["apart"]["refused"]
    assert "needs apart: " in rows(project, "plain")["all"]["refused"]
    assert "which has source clips only" in rows(project, "one_domain")["mixed"]["refused"]


def test_a_data_set_beside_others_that_lack_something_has_the_numbers_it_has_alone(study, built):
    alone = {
        tuple(row[key] for key in ("system", "machine", "section", "metric")): row["value"]
        for row in tables.read(
            built.folder / "results/metrics/own/logmel/logmel/mean.parquet", "metrics"
        ).to_pylist()
    }
    found = {
        tuple(row[key] for key in ("system", "machine", "section", "metric")): row["value"]
        for row in metrics(study[0], "whole")
    }
    for key, value in alone.items():
        if key[0] in ("nn", "pca"):
            assert found[key] == value


def test_an_unlabelled_data_set_has_scores_of_every_system_and_metrics_that_say_why_they_are_none(study):
    project, _ = study
    folder = project.folder / "results"
    files = [
        *folder.glob("scores/unlabelled/**/*.parquet"),
        *folder.glob("fusion/unlabelled/**/*.parquet"),
    ]
    scores = [row for file in files for row in tables.read(file, "scores").to_pylist()]
    assert {row["detector"] for row in scores} == SYSTEMS
    assert all(row["score"] is not None for row in scores)
    cells = Counter((row["system"], row["machine"]) for row in metrics(project, "unlabelled"))
    assert cells == {(name, machine): 1 for name in SYSTEMS for machine in ("mill", "all")}
    assert all(row["value"] is None for row in metrics(project, "unlabelled"))


def test_the_report_has_every_data_set_and_every_figure_exists(study):
    project, _ = study
    page = (project.folder / "results/report.html").read_text(encoding="utf-8")
    for dataset in ("whole", *LACKING):
        assert f"Data set {dataset}</h2>" in page
        names = {path.stem for path in (project.folder / f"results/figures/{dataset}").glob("*.svg")}
        assert {"leaderboard", "heatmap", "distributions", "effects", "source_target"} <= names
    assert page.count("No system has an official score here") == 2  # the summary, the data set
    assert "1 machine, 8 test clips of 4 recordings" in page
    assert page.count("Not computed: apart, mixed and all; the leaderboard says why.") == 2


def test_the_terminal_has_every_data_set(study):
    text = asdflow(study[0], "leaderboard").stdout
    assert "unlabelled: no system has values\n" in text
    assert "plain: 3 systems, 4 normal and 4 anomalous test clips of 4 recordings" in text


def test_scores_of_an_unlabelled_data_set_are_exported_and_listed_by_recording(study):
    project, _ = study
    outcome = asdflow(project, "export", "out", "--dataset", "unlabelled", "--system", "nn")
    assert outcome.returncode == 0, outcome.stderr
    assert (
        project.folder / "out/unlabelled/logmel-logmel-mean-nn/anomaly_score_mill_section_00_test.csv"
    ).is_file()
    outcome = asdflow(project, "recordings", "out/rows.csv", "--dataset", "unlabelled", "--system", "nn")
    assert outcome.returncode == 0, outcome.stderr
    with open(project.folder / "out/rows.csv", newline="") as file:
        found = list(csv.DictReader(file))
    assert sum(int(row["clips"]) for row in found) == 8
    assert {row["recording"] for row in found} == {
        f"test_{label}_{number}" for label in ("normal", "anomaly") for number in (0, 1)
    }
    assert all(row["label"] == row["auc_source"] == "" for row in found)


def test_a_study_of_which_nothing_can_be_computed_is_one_error_before_the_first_job(study, tmp_path):
    project = study[0].copy(tmp_path / "project")
    hopeless = CONFIG.replace("  whole: {kind: folder, root: recordings}\n", "").replace(
        "  unlabelled: {kind: folder, root: unlabelled}\n", ""
    )
    for name in ("nn", "pca", "some"):
        hopeless = "\n".join(line for line in hopeless.split("\n") if not line.startswith(f"  {name}: "))
    (project.folder / "config/small.yaml").write_text(hopeless)
    outcome = project.run("all", check=False)
    said = outcome.stdout + outcome.stderr
    assert outcome.returncode != 0
    assert "the study: nothing can be computed" in said and " 1/" not in said
    assert "data set plain: every detector needs domains, and the train clips have no domains" in said
    outcome = asdflow(project, "check", "--configfile", "config/small.yaml")
    assert outcome.returncode == 1 and outcome.stderr.startswith("ERROR the study: nothing can be computed")
