"""What is rebuilt, and what is not: on the real DAG."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from project import CONFIG, write_tone

from asdflow.products import tables

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

# What joins every branch of the grid, and so depends on each of them.
JOINS = re.compile(r"^(report\.html|leaderboard\.csv|figures/)")
# What joins the machines of one column of the grid.
COLUMNS = ("fusion/", "metrics/")


def branches(names: set[str]) -> set[str]:
    """Results that are not joins."""
    return {name for name in names if not JOINS.match(name)}


def test_nothing_changed_nothing_runs(project):
    before = project.stamps()
    outcome = project.run()
    assert "Nothing to be done" in outcome.stdout + outcome.stderr
    assert project.stamps() == before


@pytest.mark.parametrize(
    "file",
    [
        "workflow/asdflow/backends/knn.py",
        "workflow/scripts/scores.py",
        "rules/scores.smk",
        "recordings/fan/train/section_00_source_train_normal_0000_speed_0.wav",
    ],
)
def test_a_touched_file_with_the_same_bytes_redoes_nothing(project, file):
    os.utime(project.folder / file)
    assert project.rebuilt_by() == set()


def test_editing_a_backend_redoes_its_scores_and_their_dependents_only(project):
    path = project.folder / "workflow/asdflow/backends/knn.py"
    path.write_text(path.read_text() + "\nEDITED = True\n")
    rebuilt = branches(project.rebuilt_by())
    expected = {
        f"{stage}/own/logmel/{layer}/{pooling}/{system}/{machine}.parquet"
        for layer in layers(project)
        for pooling in ("mean", "gem")
        for machine in ("fan", "pump")
        for stage, system in (("scores", "knn"),)
    } | {
        f"{product}.parquet"
        for layer in layers(project)
        for pooling in ("mean", "gem")
        for product in (
            f"fusion/own/logmel/{layer}/{pooling}/zmin",
            f"metrics/own/logmel/{layer}/{pooling}",
        )
    }
    assert rebuilt == expected


def test_changing_a_pooling_redoes_its_column_only(project):
    change(project, "p: 3.0", "p: 4.0")
    rebuilt = branches(project.rebuilt_by())
    assert rebuilt
    assert {name for name in rebuilt if "gem" not in Path(name).with_suffix("").parts} == set()


def test_replacing_one_recording_redoes_that_machine_only(project):
    wav = project.folder / "recordings/fan/test/section_00_source_test_anomaly_0001_speed_1.wav"
    write_tone(wav, [99], 310, "source", "anomaly")
    rebuilt = branches(project.rebuilt_by())
    stages = {name.split("/")[0] for name in rebuilt}
    assert stages == {"clips", "frames", "embeddings", "distances", "scores", "fusion", "metrics"}
    assert {name for name in rebuilt if Path(name).stem != "fan" and not name.startswith(COLUMNS)} == set()


def test_entries_that_swap_names_never_reuse_each_others_files(project):
    before = scores_of(project)
    change(project, "  nn: {backend", "  other: {backend")
    change(project, "  pca: {backend", "  nn: {backend")
    change(project, "  other: {backend", "  pca: {backend")
    project.run("scores")
    swapped = {"nn": "pca", "pca": "nn"}
    assert scores_of(project) == {
        (*place, swapped[system]): found for (*place, system), found in before.items()
    }


def test_writing_a_default_out_redoes_nothing(project):
    change(project, "metrics: {rounds: 100}", "metrics: {rounds: 100, confidence: 0.95}")
    assert project.rebuilt_by() == set()


def test_a_new_detector_leaves_the_others_alone(project):
    change(project, "fusions:", "  maha: {backend: {name: mahalanobis}}\nfusions:")
    rebuilt = {name for name in project.rebuilt_by() if name.startswith("scores/")}
    assert {name.split("/")[-2] for name in rebuilt} == {"mahalanobis"}


def test_a_new_detector_of_a_backend_that_is_there_redoes_its_table_with_the_same_scores(project):
    before = scores_of(project)
    change(project, "fusions:", "  nn2: {backend: {name: knn, k: 2, metric: cosine}}\nfusions:")
    rebuilt = {name for name in project.rebuilt_by("scores") if name.startswith("scores/")}
    assert {name.split("/")[-2] for name in rebuilt} == {"knn"}
    after = scores_of(project)
    assert {key: after[key] for key in before} == before
    assert {key[-1] for key in after.keys() - before.keys()} == {"nn2"}


def scores_of(project) -> dict[tuple[str, ...], list[tuple]]:
    """Clip and score by folder, machine and detector."""
    found = {}
    for file in (project.folder / "results/scores").rglob("*.parquet"):
        for row in tables.read(file, "scores").to_pylist():
            key = (file.parents[1].as_posix(), row["machine"], row["detector"])
            found.setdefault(key, []).append((row["clip"], row["score"]))
    return found


def change(project, old: str, new: str) -> None:
    """Edit the configuration."""
    path = project.folder / "config/small.yaml"
    text = path.read_text()
    assert old in text, CONFIG
    path.write_text(text.replace(old, new))


def layers(project) -> list[str]:
    """Layers that were extracted."""
    return sorted(path.name for path in (project.folder / "results/embeddings/own/logmel").iterdir())
