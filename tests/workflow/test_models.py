"""Weights in the real DAG: fetched by rules, recorded in the products, and what read them is redone."""

from __future__ import annotations

import json
import shutil

import pytest
from project import CONFIG, Project
from test_hub_models import COMMIT, MODEL, READ, publish

from answering import serving
from asdflow.products import tables
from tiny_encoders import beats_checkpoint
from tiny_huggingface import model_folder

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

ENCODERS = f"""
encoders:
  own: {{name: huggingface, model: models/own, unverified: true, layers: [1]}}
  hub: {{name: huggingface, model: {MODEL}, revision: {COMMIT}, layers: [1]}}
  file: {{name: beats, checkpoint: tiny_beats, unverified: true}}
"""
ENTRY = """
tiny_beats:
  encoder: beats
  file: tiny_beats.pt
  title: a file whose hash nobody has published
  bytes: null
  sha256: null
  licence: MIT
  sample_rate: 16000
  layers: {last: [8, 32]}
  citation: nobody
  sources: [{kind: https, url: "ADDRESS/tiny_beats.pt"}]
"""


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    """One machine, and encoders with three kinds of weights, none of which is there."""
    monkeypatch.setenv("ASDFLOW_CHECKPOINTS", "weights")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    config = CONFIG.replace("\nencoders:\n  logmel: {name: logmel}\n", ENCODERS)
    assert config != CONFIG
    project = Project.create(tmp_path / "project", config)
    shutil.rmtree(project.folder / "recordings/pump")
    return project


def test_weights_are_fetched_by_rules_and_a_changed_folder_redoes_its_frames(project, monkeypatch, tmp_path):
    own = shutil.copytree(model_folder("hubert"), project.folder / "models/own")
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        publish(server, {name: (own / name).read_bytes() for name in READ})
        server.answers["/tiny_beats.pt"] = [(200, {}, beats_checkpoint(tmp_path / "tiny.pt").read_bytes())]
        with open(project.folder / "resources/encoders.yaml", "a", encoding="utf-8") as registry:
            registry.write(ENTRY.replace("ADDRESS", server.address))
        project.run("frames")
    weights = project.folder / "weights"
    assert (weights / "huggingface" / MODEL / COMMIT / "SHA256SUMS").is_file()
    assert (weights / "tiny_beats.pt").is_file()

    files = {
        name: project.folder / f"results/frames/own/{name}/fan.parquet" for name in ("own", "hub", "file")
    }
    frames = {name: tables.read(file, "frames") for name, file in files.items()}
    assert frames["own"].equals(frames["hub"])
    targets = ("metrics/own/file/last/mean", "embeddings/own/hub/layer1/mean/fan")
    project.run(*(f"results/{target}.parquet" for target in targets))
    for product in (
        "embeddings/own/file/last/mean/fan",
        "distances/own/file/last/mean/cosine/fan",
        "scores/own/file/last/mean/knn/fan",
        "fusion/own/file/last/mean/zmin",
        "metrics/own/file/last/mean",
        "embeddings/own/hub/layer1/mean/fan",
    ):
        made_by = tables.provenance(project.folder / f"results/{product}.parquet")["made_by"]
        assert made_by.get("unverified") == (None if "/hub/" in product else ["tiny_beats"])
    recorded = {name: tables.provenance(file)["made_by"]["encoder"] for name, file in files.items()}
    assert recorded["own"]["unverified"] is True and recorded["file"]["unverified"] is True
    assert recorded["hub"]["unverified"] is False and recorded["hub"]["revision"] == COMMIT

    assert project.rebuilt_by("frames") == set()  # and no network, as the server is gone
    options = json.loads((own / "config.json").read_text())
    (own / "config.json").write_text(json.dumps(options | {"layer_norm_eps": 1e-3}))
    assert project.rebuilt_by("frames") == {"frames/own/own/fan.parquet"}
    assert not tables.read(files["own"], "frames").equals(frames["own"])


def test_a_folder_that_does_not_exist_is_named_before_anything_runs(project):
    outcome = project.run("-n", "frames", check=False)
    assert outcome.returncode
    assert "models/own: is not a folder" in outcome.stdout + outcome.stderr
