"""A detector that cannot work with some data leaves its siblings alone, and every product says why."""

from __future__ import annotations

import csv

import pytest
from project import CONFIG, Project

from asdflow.products import tables

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("refused")]

# The banks hold 10 clips: 11 neighbours are asked for in vain.
REFUSING = CONFIG.replace(
    "fusions:\n",
    "  far: {backend: {name: knn, k: 11, metric: cosine}}\n"
    "fusions:\n  good: {name: z_min, members: [nn, pca]}\n",
).replace("  gem: {name: gem, p: 3.0}\n", "")
FOLDER = "results/{}/own/logmel/logmel/mean"


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Project:
    """A study of good detectors and one that refuses every machine."""
    project = Project.create(tmp_path_factory.mktemp("refused") / "project", REFUSING)
    project.run()
    return project


def test_its_rows_say_why_and_its_siblings_have_the_scores_that_they_have_without_it(study, built):
    file = FOLDER.format("scores") + "/knn/fan.parquet"
    alone = tables.read_systems([built.folder / file], ["nn"])["nn"]
    found = tables.read_systems([study.folder / file], ["nn", "far"])
    assert found["nn"].equals(alone)
    assert found["far"].select(["clip", "split"]).equals(alone.select(["clip", "split"]))
    assert found["far"].column("score").null_count == alone.num_rows
    (reason,) = set(found["far"].column("refused").to_pylist())
    assert "11" in reason and "\n" not in reason


def test_a_fusion_that_needs_it_says_so_and_one_that_does_not_is_computed(study):
    folder = study.folder / FOLDER.format("fusion")
    needing = tables.read(folder / "zmin.parquet", "scores")
    assert needing.column("score").null_count == needing.num_rows
    assert all(text.startswith("needs far: ") for text in needing.column("refused").to_pylist())
    assert tables.read(folder / "good.parquet", "scores").column("refused").null_count == needing.num_rows


def test_metrics_leave_it_out_and_name_the_reason(study, built):
    place = FOLDER.format("metrics") + ".parquet"
    rows, alone = (tables.read(each.folder / place, "metrics").to_pylist() for each in (study, built))
    assert {row["system"] for row in rows if row["refused"] is None} == {"nn", "pca", "good"}
    assert {row["system"] for row in rows if row["refused"] is not None} == {"far", "zmin"}
    where = {(row["machine"], row["section"]) for row in rows if row["system"] == "far"}
    assert where == {("fan", "00"), ("pump", "00"), ("all", "all")}
    values = {
        tuple(row[key] for key in ("system", "machine", "section", "metric")): row["value"] for row in rows
    }
    for row in alone:
        if row["system"] in ("nn", "pca"):
            assert values[row["system"], row["machine"], row["section"], row["metric"]] == row["value"]


def test_leaderboard_and_report_say_that_it_is_not_computed(study):
    with open(study.folder / "results/leaderboard.csv", newline="") as file:
        rows = {row["system"]: row for row in csv.DictReader(file)}
    assert rows["far"]["rank"] == rows["far"]["official"] == ""
    assert rows["far"]["refused"].startswith("machine fan, section 00; 1 more section: ")
    assert rows["nn"]["refused"] == "" and rows["nn"]["official"]
    page = (study.folder / "results/report.html").read_text(encoding="utf-8")
    assert page.count("not computed: machine fan, section 00; 1 more section: ") == 2  # far, zmin
