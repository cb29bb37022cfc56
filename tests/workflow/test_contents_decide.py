"""What files hold decides what is redone, whatever their time stamps say: on the real DAG."""

from __future__ import annotations

import hashlib
import os
import shutil

import pytest
from project import Project, write_tone

from yamnet_weights import yamnet_folder

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("contents")]

LISTED = """\
title: a listed study
datasets:
  own: {kind: folder, root: recordings, noise: {snr_db: 10, color: recorded, recordings: noise}}
encoders: {logmel: {name: logmel}}
poolings: {mean: {name: mean}}
detectors: {nn: {backend: {name: knn}}}
figures: {heatmap: {name: heatmap}}
metrics: {rounds: 100}
report: {clips: 0}
"""


def replace_by_older(path, other, seconds: float = 3600.0) -> None:
    """As `cp -p` and `rsync -a` do: the bytes of another file, and a time long before."""
    stamp = os.stat(path).st_mtime - seconds
    os.utime(other, (stamp, stamp))
    shutil.copy2(other, path)
    assert os.stat(path).st_mtime == pytest.approx(stamp, abs=1e-3)


@pytest.fixture(scope="module")
def listed(tmp_path_factory) -> Project:
    """A study whose clips stand in a clips.csv, with noise of recordings. Tests must not change it."""
    project = Project.create(tmp_path_factory.mktemp("listed") / "project", LISTED)
    lines = ["path,machine,split,domain,label"]
    for number in range(8):
        for split, label in (("train", "normal"), ("test", "normal"), ("test", "anomaly")):
            path = f"{split}_{label}_{number}.wav"
            write_tone(project.folder / "recordings" / path, [number, len(path)], 300, "source", label)
            lines.append(f"{path},rig,{split},source,{label}")
    for machine in ("fan", "pump"):
        shutil.rmtree(project.folder / "recordings" / machine)
    (project.folder / "recordings/clips.csv").write_text("\n".join(lines) + "\n")
    write_tone(project.folder / "noise/hum.wav", [1], 50, "source", "normal", 2.0)
    project.run()
    return project


@pytest.fixture
def study(listed, tmp_path) -> Project:
    """The built study, of the test's own."""
    return listed.copy(tmp_path / "project")


def stages(project) -> set[str]:
    return {name.split("/")[0] for name in project.rebuilt_by()}


ALL = {"clips", "frames", "embeddings", "distances", "scores", "metrics"}


def test_a_recording_replaced_by_an_older_one_is_done_again(study, tmp_path):
    write_tone(tmp_path / "other.wav", [77], 310, "source", "anomaly")
    replace_by_older(study.folder / "recordings/test_normal_0.wav", tmp_path / "other.wav")
    assert stages(study) >= ALL


def test_a_list_replaced_by_an_older_one_is_done_again(study, tmp_path):
    listing = study.folder / "recordings/clips.csv"
    (tmp_path / "other.csv").write_text("\n".join(listing.read_text().splitlines()[:-1]) + "\n")
    replace_by_older(listing, tmp_path / "other.csv")
    assert stages(study) >= ALL


def test_noise_replaced_by_an_older_recording_redoes_the_frames(study, tmp_path):
    write_tone(tmp_path / "other.wav", [78], 60, "source", "normal", 2.0)
    replace_by_older(study.folder / "noise/hum.wav", tmp_path / "other.wav")
    rebuilt = stages(study)
    assert rebuilt >= ALL - {"clips"} and "clips" not in rebuilt


def test_an_older_copy_of_the_same_bytes_redoes_nothing(study, tmp_path):
    for name in ("recordings/test_normal_0.wav", "recordings/clips.csv", "noise/hum.wav"):
        shutil.copy(study.folder / name, tmp_path / "same")
        replace_by_older(study.folder / name, tmp_path / "same")
    assert stages(study) == set()


def test_a_recording_that_changes_between_its_table_and_its_frames_is_named(study):
    from asdflow.audio import AudioOptions
    from asdflow.clips import measured
    from asdflow.clips.rows import ClipRow
    from asdflow.clips.waveforms import loader
    from asdflow.foundation.errors import DataError

    root = study.folder / "recordings"
    rows = [ClipRow(f"train_normal_{number}.wav") for number in range(3)]
    table = measured.table("rig", root, rows).to_pylist()
    load = loader(root, AudioOptions())
    assert load(table[0], 16000).size == 16000
    write_tone(root / table[1]["path"], [79], 310, "source", "normal")
    with pytest.raises(DataError, match=rf"{table[1]['path']}: is not the recording"):
        load(table[1], 16000)


def weighted(project, checkpoint, unverified="true") -> Project:
    """The study with an encoder whose weights are a file of the user's own."""
    config = project.folder / "config/small.yaml"
    entry = f"encoders: {{yamnet: {{name: yamnet, checkpoint: {checkpoint}, unverified: {unverified}}}}}"
    config.write_text(config.read_text().replace("encoders: {logmel: {name: logmel}}", entry))
    return project


def test_a_checkpoint_that_is_not_there_is_refused_when_the_study_is_read(study):
    outcome = weighted(study, "weights/none.tflite").run("-n", check=False)
    printed = outcome.stdout + outcome.stderr
    assert outcome.returncode
    assert "encoders.yamnet.checkpoint: names weights/none.tflite, which does not exist" in printed
    assert "Traceback" not in printed


def test_weights_of_unknown_bytes_are_refused_when_the_study_is_read_unless_accepted(study):
    (study.folder / "weights").mkdir()
    (study.folder / "weights/mine.tflite").write_bytes(b"some weights")
    outcome = weighted(study, "weights/mine.tflite", "false").run("-n", check=False)
    digest = hashlib.sha256(b"some weights").hexdigest()
    assert outcome.returncode
    assert f"has SHA-256 {digest}, which is not registered" in outcome.stdout + outcome.stderr


def test_the_hash_of_own_weights_decides_the_frames_and_stands_in_the_report(study):
    (study.folder / "weights").mkdir()
    mine = study.folder / "weights/mine.tflite"
    shutil.copy(yamnet_folder() / "yamnet.tflite", mine)
    weighted(study, "weights/mine.tflite").run()
    digest = hashlib.sha256(mine.read_bytes()).hexdigest()
    assert "mine.tflite" in (page := (study.folder / "results/report.html").read_text()) and digest in page
    other = study.folder / "other"
    other.write_bytes(mine.read_bytes() + b"\0" * 16)
    replace_by_older(mine, other)
    planned = study.run("-n").stdout
    assert "frames_of_machine: own yamnet rig" in planned
