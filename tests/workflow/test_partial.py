"""Named parts of a study are built alone; sound, given vectors and sweeps share one study."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from project import Project

from asdflow.products import tables

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("partial")]

CONFIG = """\
title: parts of a study
datasets:
  own: {kind: folder, root: recordings, machines: [fan]}
  brought: {kind: embeddings, vectors: {clap: vectors.parquet}, standardise: bank, licence: of the test}
encoders:
  logmel: {name: logmel}
poolings:
  mean: {name: mean}
  gem: {name: gem, p: [2, 3]}
detectors:
  nn: {backend: {name: knn, k: 1, metric: cosine}}
  ldn: {backend: {name: knn, k: 1, metric: cosine}, normalization: {name: density_ratio, k: [1, 2]}}
  pca: {backend: {name: pca_residual, rank: 3}}
  maha: {backend: {name: mahalanobis}, normalization: {name: zscore}}
fusions:
  zmin: {name: z_min}
  neighbours: {name: z_min, members: [nn, ldn]}
figures:
  sensitivity: {name: sensitivity}
  effects: {name: effects}
metrics: {rounds: 100}
report: {clips: 1}
"""
MEMBERS = "workflow/asdflow/{}.py"


def write_vectors(path) -> None:
    """Two machines of eight dimensions; anomalies lie apart."""
    random = np.random.default_rng(7)
    rows = []
    for machine in ("lathe", "press"):
        for split, label, domain, count in (
            ("train", "normal", "source", 12),
            ("train", "normal", "target", 3),
            *(
                ("test", label, domain, 4)
                for label in ("normal", "anomaly")
                for domain in ("source", "target")
            ),
        ):
            for number in range(count):
                vector = random.normal(label == "anomaly", 1.0, 8)
                rows.append(
                    {
                        "clip": f"{machine}/{split}_{domain}_{label}_{number}",
                        "machine": machine,
                        "section": "00",
                        "domain": domain,
                        "split": split,
                        "label": label,
                        "values": vector.tolist(),
                    }
                )
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.fixture(scope="module")
def complete(tmp_path_factory) -> Project:
    """The study above, built. Tests must not change it: see `study`."""
    project = Project.create(tmp_path_factory.mktemp("parts") / "project", CONFIG)
    write_vectors(project.folder / "vectors.parquet")
    project.run()
    return project


@pytest.fixture
def study(complete, tmp_path) -> Project:
    """A built study of the test's own."""
    return complete.copy(tmp_path / "project")


def planned(project: Project, target: str) -> dict[str, int]:
    """Jobs that a dry run of a target lists, but the target itself, which does nothing."""
    printed = project.run("-n", target).stdout
    table = printed.split("Job stats:")[-1].split("total")[0] if "Job stats:" in printed else ""
    jobs = {name: int(count) for name, count in re.findall(r"^(\S+)\s+(\d+)\s*$", table, re.M)}
    jobs.pop(target, None)
    return jobs


def edit(project: Project, *members: str) -> None:
    """Change the bytes of members' files."""
    for member in members:
        path = project.folder / MEMBERS.format(member)
        path.write_text(path.read_text() + "\nEDITED = True\n")


# Columns: mean, gem_p2 and gem_p3 of one machine; given vectors of two machines.
SCORE_JOBS = 3 + 2


@pytest.mark.parametrize(
    ("target", "jobs"),
    [
        ("scores/nn", {"scores_of_backend": SCORE_JOBS}),
        ("scores/ldn", {"scores_of_backend": SCORE_JOBS}),
        ("scores/ldn_k2", {"scores_of_backend": SCORE_JOBS}),
        ("scores/knn", {"scores_of_backend": SCORE_JOBS}),
        ("scores/pca", {"scores_of_backend": SCORE_JOBS}),
        ("scores/pca_residual", {"scores_of_backend": SCORE_JOBS}),
        ("scores/maha", {}),
        ("scores/neighbours", {"scores_of_backend": SCORE_JOBS, "fusion": 4}),
    ],
)
def test_a_detector_sweep_backend_or_fusion_is_rebuilt_alone(study, target, jobs):
    edit(study, "backends/knn", "backends/pca_residual")
    assert planned(study, target) == jobs


def test_a_normalization_is_rebuilt_alone(study):
    edit(study, "normalizations/zscore", "backends/pca_residual")
    assert planned(study, "normalizations/zscore") == {"scores_of_backend": SCORE_JOBS}
    assert planned(study, "normalizations/density_ratio") == {}
    rebuilt = study.rebuilt_by("normalizations/zscore")
    assert len(rebuilt) == SCORE_JOBS
    assert {(name.split("/")[0], name.split("/")[-2]) for name in rebuilt} == {("scores", "mahalanobis")}


def test_a_pooling_is_rebuilt_alone(study):
    edit(study, "poolings/gem", "poolings/mean")
    backends = {"scores_of_backend": 3}
    rest = {"embeddings": 1, "distances": 1, "metrics_of_pooling": 1, "fusion": 2}
    assert planned(study, "poolings/gem_p2") == backends | rest
    both = {name: 2 * count for name, count in (backends | rest).items()}
    assert planned(study, "poolings/gem") == both
    columns = {
        part for name in study.rebuilt_by("poolings/gem") for part in name.removesuffix(".parquet").split("/")
    }
    assert {"gem_p2", "gem_p3"} <= columns and "mean" not in columns
    assert planned(study, "poolings/gem") == {}
    assert planned(study, "poolings/mean") == backends | rest


def test_nothing_is_done_where_nothing_changed(study):
    for target in ("scores/knn", "poolings/mean", "normalizations/none", "scores/zmin"):
        assert planned(study, target) == {}


def test_one_more_value_of_a_sweep_leaves_other_backends_alone_and_the_plain_fusion_as_it_was(study):
    config = study.folder / "config/small.yaml"
    config.write_text(config.read_text().replace("k: [1, 2]", "k: [1, 2, 3]"))
    fusions = study.folder / "results/fusion"
    before = {path: path.read_bytes() for path in fusions.rglob("zmin.parquet")}
    stages = {(name.split("/")[0], name.split("/")[-2]) for name in study.rebuilt_by("scores")}
    assert ("scores", "knn") in stages
    assert not {("scores", "pca_residual"), ("scores", "mahalanobis")} & stages
    assert before and {path: path.read_bytes() for path in fusions.rglob("zmin.parquet")} == before


def test_given_vectors_have_no_frames_and_the_report_says_why_there_is_no_sound(complete):
    results = complete.folder / "results"
    assert {path.name for path in (results / "frames").iterdir()} == {"own"}
    assert (results / "embeddings/brought/clap/given/given/lathe.parquet").exists()
    board = (results / "leaderboard.csv").read_text()
    assert "\nbrought,1,clap,given,given," in board and ",gem_p3,detector,ldn_k2," in board
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "came as ready-made vectors, so there is no sound" in page
    assert "of the test" in page and page.count("<audio") == 2  # the fan's most and least anomalous clip


def test_a_changed_file_of_vectors_redoes_what_came_from_it_only(study):
    write_vectors(study.folder / "vectors.parquet")
    assert not study.rebuilt_by("metrics")
    table = pq.read_table(study.folder / "vectors.parquet").to_pydict()
    table["values"][0][0] += 1.0
    pq.write_table(pa.table(table), study.folder / "vectors.parquet")
    rebuilt = study.rebuilt_by("metrics")
    assert rebuilt and {name.split("/")[1] for name in rebuilt} == {"brought"}


def test_standardised_vectors_reach_the_dag(complete):
    path = complete.folder / "results/embeddings/brought/clap/given/given/press.parquet"
    table = tables.read(path, "embeddings")
    bank = tables.matrix(table.column("values"))[np.array(table.column("split").to_pylist()) == "train"]
    np.testing.assert_allclose(bank.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(bank.std(axis=0), 1.0, atol=1e-6)
