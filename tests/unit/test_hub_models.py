"""Models of the Hugging Face hub: one commit, every byte as the hub states it, then no network."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from answering import serving
from asdflow.checkpoints import hub, models
from asdflow.foundation.errors import ConfigError, FetchError
from asdflow.pipeline.build import encoder as build
from tiny_encoders import sound
from tiny_huggingface import model_folder

MODEL, COMMIT = "somebody/tiny-hubert", "0123456789abcdef0123456789abcdef01234567"
API = f"/api/models/{MODEL}/revision/{COMMIT}?blobs=true"
READ = ("config.json", "model.safetensors", "preprocessor_config.json")


def file_path(name: str) -> str:
    return f"/{MODEL}/resolve/{COMMIT}/{name}"


def entry(name: str, body: bytes, large: bool) -> dict:
    """What the hub states of a file: its Git hash, and of a large one the SHA-256 of its content."""
    git = hashlib.sha1(b"blob " + str(len(body)).encode() + b"\0" + body).hexdigest()
    stated = {"rfilename": name, "size": len(body), "blobId": git}
    if large:
        stated["lfs"] = {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 130}
    return stated


@pytest.fixture
def published(monkeypatch, tmp_path):
    """A hub with one tiny model, and an empty folder of checkpoints."""
    folder = model_folder("hubert")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("ASDFLOW_RETRIES", "0")
    monkeypatch.setenv("ASDFLOW_CHECKPOINTS", str(tmp_path / "checkpoints"))
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address + "/")
        bodies = {name: (folder / name).read_bytes() for name in READ}
        bodies |= {"README.md": b"# tiny", "modeling_own.py": b"raise SystemExit", "optimizer.bin": b"-"}
        publish(server, bodies)
        yield server


def publish(server, bodies: dict[str, bytes], stated: list[dict] | None = None) -> None:
    if stated is None:
        stated = [entry(name, body, name.endswith((".safetensors", ".bin"))) for name, body in bodies.items()]
    server.answers = {file_path(name): [(200, {}, body)] for name, body in bodies.items()}
    server.answers[API] = [(200, {}, json.dumps({"sha": COMMIT, "siblings": stated}).encode())]


def from_hub(**options):
    return build({"name": "huggingface", "model": MODEL, "revision": COMMIT} | options)


def wave() -> np.ndarray:
    return sound(9000, "hub")[None]


def test_a_commit_is_fetched_once_and_then_needs_no_network(published):
    expected = build(
        {"name": "huggingface", "model": str(model_folder("hubert")), "unverified": True}
    ).frames(wave())
    assert np.array_equal(from_hub().frames(wave()), expected)
    asked = len(published.asked)
    assert np.array_equal(from_hub().frames(wave()), expected)
    assert len(published.asked) == asked


def test_only_the_files_that_are_read_are_fetched_and_nothing_else_is_left(published):
    folder = hub.fetch_model(MODEL, COMMIT)
    assert sorted(published.asked) == sorted([API, *map(file_path, READ)])
    assert sorted(path.name for path in folder.iterdir()) == sorted([*READ, "SHA256SUMS"])
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == [COMMIT]
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert digest == hashlib.sha256((folder / name).read_bytes()).hexdigest()


def test_a_file_of_which_the_hub_states_no_hash_is_refused_before_it_is_asked_for(published):
    bodies = {name: (model_folder("hubert") / name).read_bytes() for name in READ}
    publish(published, bodies, [{"rfilename": name, "size": len(body)} for name, body in bodies.items()])
    with pytest.raises(FetchError, match="states no git object id"):
        hub.fetch_model(MODEL, COMMIT)
    assert published.asked == [API]


def test_safetensors_are_preferred_and_a_pickle_is_taken_where_there_is_nothing_else(published):
    import torch
    from safetensors.torch import load_file

    source = model_folder("hubert")
    bodies = {name: (source / name).read_bytes() for name in READ}
    publish(published, bodies | {"pytorch_model.bin": b"never asked for"})
    both = hub.fetch_model(MODEL, COMMIT)
    assert not (both / "pytorch_model.bin").exists()
    expected = from_hub().frames(wave())
    shutil.rmtree(both)
    pickle = both.parent / "pytorch_model.bin"
    torch.save(load_file(source / "model.safetensors"), pickle)
    del bodies["model.safetensors"]
    publish(published, bodies | {"pytorch_model.bin": pickle.read_bytes()})
    assert np.array_equal(from_hub().frames(wave()), expected)


def test_weights_split_over_files_are_fetched_whole(published):
    source = model_folder("hubert")
    index = json.dumps({"weight_map": {"a": "part-2.safetensors", "b": "part-1.safetensors"}}).encode()
    bodies = {name: (source / name).read_bytes() for name in READ if name != "model.safetensors"}
    bodies |= {"model.safetensors.index.json": index}
    bodies |= {f"part-{number}.safetensors": bytes([number]) for number in (1, 2)}
    publish(published, bodies)
    folder = hub.fetch_model(MODEL, COMMIT)
    assert models.weights_files(folder)[1:] == ["part-1.safetensors", "part-2.safetensors"]
    assert (folder / "part-2.safetensors").read_bytes() == b"\2"


@pytest.mark.parametrize("name", READ)
def test_other_bytes_than_the_hub_states_are_refused_and_nothing_appears(published, name):
    right = (model_folder("hubert") / name).read_bytes()
    published.answers[file_path(name)] = [(200, {}, right[:-1] + bytes([right[-1] ^ 1]))]
    with pytest.raises(FetchError, match=r"has sha256|git object id"):
        from_hub().frames(wave())
    assert not models.hub_folder(MODEL, COMMIT).exists()
    published.answers[file_path(name)] = [(200, {}, right)]
    assert from_hub().frames(wave()).shape[1] > 0


def test_an_answer_for_another_commit_is_refused(published):
    published.answers[API] = [(200, {}, json.dumps({"sha": "f" * 40, "siblings": []}).encode())]
    with pytest.raises(FetchError, match=f"answers for commit {'f' * 40}"):
        hub.fetch_model(MODEL, COMMIT)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"sha": 1}'])
def test_an_answer_that_is_no_list_of_files_is_refused(published, body):
    published.answers[API] = [(200, {}, body)]
    with pytest.raises(FetchError, match="something else than a list of files"):
        hub.fetch_model(MODEL, COMMIT)


def test_a_commit_without_a_front_end_is_refused_by_the_name_of_the_file(published):
    bodies = {name: (model_folder("hubert") / name).read_bytes() for name in READ[:2]}
    publish(published, bodies)
    with pytest.raises(FetchError, match=r"preprocessor_config\.json: is not among the files"):
        hub.fetch_model(MODEL, COMMIT)


def check_remedy(error: FetchError) -> None:
    for part in ("by hand", *READ, f"{MODEL}/tree/{COMMIT}", "give `model` that folder"):
        assert part in error.remedy


def test_a_hub_that_cannot_be_reached_is_reported_with_the_folder_as_remedy(published, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FetchError, match="the connection failed") as caught:
        from_hub().frames(wave())
    check_remedy(caught.value)


def test_a_commit_that_the_hub_does_not_have_is_reported_with_the_folder_as_remedy(published):
    with pytest.raises(FetchError, match="HTTP 404") as caught:
        hub.fetch_model("somebody/else", COMMIT)
    assert "somebody/else/tree" in caught.value.remedy


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:7], COMMIT.upper()])
def test_a_revision_that_can_move_is_refused_before_anything_is_asked(published, revision):
    with pytest.raises(ConfigError, match=f"{revision}.*is no commit.*{MODEL}/commits/main"):
        from_hub(revision=revision)
    assert published.asked == []


def test_a_name_without_a_commit_is_a_folder_and_the_error_says_so(published):
    with pytest.raises(FetchError, match=r"is not a folder.*give the commit as `revision`"):
        build({"name": "huggingface", "model": MODEL}).frames(wave())
    assert published.asked == []


def test_a_commit_of_a_path_is_no_name_on_the_hub():
    with pytest.raises(ConfigError, match=r"is no name on the hub.*owner/name"):
        from_hub(model="models/of/mine")


def test_a_file_changed_after_it_was_fetched_is_refused(published):
    folder = hub.fetch_model(MODEL, COMMIT)
    with open(folder / "config.json", "ab") as file:
        file.write(b" ")
    for unverified in (False, True):
        with pytest.raises(FetchError, match="other files than were fetched"):
            from_hub(unverified=unverified).frames(wave())


def test_the_fingerprint_is_checked_for_a_model_of_the_hub_as_well(published):
    folder = hub.fetch_model(MODEL, COMMIT)
    right = models.fingerprint(folder)
    assert from_hub(sha256=right).frames(wave()).shape[1] > 0
    with pytest.raises(FetchError, match=f"fingerprint {right}, expected {'0' * 64}"):
        from_hub(sha256="0" * 64).frames(wave())


def test_the_folder_of_a_hub_model_is_an_input_of_its_frames_whether_or_not_it_exists(published, tmp_path):
    folder = tmp_path / "checkpoints/huggingface" / MODEL / COMMIT
    assert from_hub().weight_files() == [str(folder)]
    assert Path(hub.fetch_model(MODEL, COMMIT)) == folder
