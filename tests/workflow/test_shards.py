"""A machine's extraction in several jobs, and on a GPU, in the real DAG."""

from __future__ import annotations

import pytest
from project import CONFIG, Project

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("partial")]

SHARDED = CONFIG + "extraction: {shards: 3}\n"


def test_frames_of_three_shards_are_the_bytes_of_one_job_and_the_shards_are_gone(built, tmp_path):
    project = Project.create(tmp_path / "project", SHARDED)
    project.run("frames")
    for machine in ("fan", "pump"):
        file = f"results/frames/own/logmel/{machine}.parquet"
        assert (project.folder / file).read_bytes() == (built.folder / file).read_bytes()
    assert not list((project.folder / "results/shards").rglob("*.parquet"))
    assert "Nothing to be done" in project.run("frames").stderr


def test_frames_of_a_job_with_two_threads_are_the_same_bytes(built, fresh):
    fresh.run("frames", "--set-threads", "frames_of_machine=2")
    file = "results/frames/own/logmel/fan.parquet"
    assert (fresh.folder / file).read_bytes() == (built.folder / file).read_bytes()


def test_shards_that_are_done_stay_done_when_a_run_is_interrupted(tmp_path):
    project = Project.create(tmp_path / "project", SHARDED)
    done = project.folder / "results/shards/own/logmel/fan/2-of-3.parquet"
    project.run("--notemp", str(done.relative_to(project.folder)))
    stamp = done.stat().st_mtime_ns
    rebuilt = project.rebuilt_by("--notemp", "frames")
    assert "shards/own/logmel/fan/1-of-3.parquet" in rebuilt and "frames/own/logmel/fan.parquet" in rebuilt
    assert done.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(("device", "gpus"), [("cpu", 0), ("cuda", 1)])
def test_a_job_asks_for_a_gpu_where_its_encoder_runs_on_one(tmp_path, device, gpus):
    encoder = f"{{name: beats, checkpoint: tiny.pt, unverified: true, device: {device}}}"
    config = CONFIG.replace("logmel: {name: logmel}", f"small: {encoder}")
    project = Project.create(tmp_path / "project", config)
    (project.folder / "tiny.pt").touch()
    shown = project.run("results/frames/own/small/fan.parquet", "--dry-run").stdout
    assert "frames_of_machine: own small fan" in shown
    assert ("own small fan (on a GPU)" in shown) == bool(gpus)


def test_frames_that_are_not_kept_are_gone_once_every_pooling_has_read_them(built, tmp_path):
    project = Project.create(tmp_path / "project", CONFIG + "extraction: {keep_frames: false}\n")
    project.run("metrics")
    results = project.folder / "results"
    assert not list((results / "frames").rglob("*.parquet"))
    for file in (results / "metrics").rglob("*.parquet"):
        assert file.read_bytes() == (built.folder / file.relative_to(project.folder)).read_bytes()
    assert "Nothing to be done" in project.run("metrics").stderr
    config = project.folder / "config/small.yaml"
    config.write_text(config.read_text().replace("poolings:\n", "poolings:\n  max: {name: max}\n"))
    rebuilt = project.rebuilt_by("metrics")
    assert "metrics/own/logmel/logmel/max.parquet" in rebuilt
    assert not list((results / "frames").rglob("*.parquet"))
