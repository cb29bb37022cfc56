"""Checkpoints: sources in order, checked bytes, and errors that say what to do."""

from __future__ import annotations

import hashlib
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from answering import serving
from asdflow import checkpoints, encoders
from asdflow.checkpoints import registry
from asdflow.commands import encoders_text
from asdflow.foundation.errors import ConfigError, DataError, FetchError
from asdflow.pipeline.build import encoder as build

GOOD = b"weights " * 1000
SHA = hashlib.sha256(GOOD).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("ASDFLOW_BACKOFF", "0")
    monkeypatch.setenv("ASDFLOW_RETRIES", "2")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as server:
        yield server


@pytest.fixture
def enter(monkeypatch):
    """Replace the registry by one entry called "tiny"."""

    def enter(*found, **changed) -> registry.Checkpoint:
        fields = {
            "name": "tiny",
            "encoder": "yamnet",
            "file": "tiny.bin",
            "title": "test weights",
            "bytes": len(GOOD),
            "sha256": SHA,
            "licence": "MIT",
            "sample_rate": 16000,
            "layers": {"last": (1, 4)},
            "citation": "nobody",
            "sources": found or ({"kind": "page", "url": "https://example.org/tiny"},),
        }
        entry = registry.Checkpoint.model_validate(fields | changed)
        monkeypatch.setattr(registry, "_entries", lambda: {"tiny": entry})
        return entry

    return enter


def left_behind(folder: Path) -> list[str]:
    """Names in a folder, but for hidden ones: locks, and what can be continued."""
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    return [name for name in names if not name.startswith(".")]


def test_second_source_is_used_when_the_first_has_no_such_file(server, enter, tmp_path):
    server.answers["/good"] = [(200, {}, GOOD)]
    enter(server.url("/gone"), server.url("/good"))
    path = checkpoints.fetch("tiny", tmp_path, progress=False)
    assert path == tmp_path / "tiny.bin" and path.read_bytes() == GOOD
    assert server.asked == ["/gone", "/good"]  # a 404 is final: not asked again
    assert left_behind(tmp_path) == ["tiny.bin"]


def test_a_file_of_the_hub_is_fetched_from_the_mirror_that_the_environment_names(
    server, enter, tmp_path, monkeypatch
):
    source = {"kind": "hub", "repository": "datasets/some/body", "member": "a/tiny.bin", "revision": "v1"}
    server.answers["/datasets/some/body/resolve/v1/a/tiny.bin"] = [(200, {}, GOOD)]
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    enter(server.url("/gone"), source)
    assert checkpoints.fetch("tiny", tmp_path, progress=False).read_bytes() == GOOD
    monkeypatch.delenv("HF_ENDPOINT")
    enter(source)
    said = encoders_text.full_text("tiny", tmp_path)
    assert "https://huggingface.co/datasets/some/body/resolve/v1/a/tiny.bin" in said


def test_a_source_with_other_bytes_is_passed_over(server, enter, tmp_path):
    server.answers["/other"] = [(200, {}, b"other" + GOOD)]
    server.answers["/good"] = [(200, {}, GOOD)]
    enter(server.url("/other"), server.url("/good"))
    assert checkpoints.fetch("tiny", tmp_path, progress=False).read_bytes() == GOOD


def test_a_download_that_breaks_off_is_tried_again(server, enter, tmp_path):
    server.answers["/flaky"] = [(200, {"Content-Length": str(len(GOOD))}, GOOD[:100]), (200, {}, GOOD)]
    enter(server.url("/flaky"))
    assert checkpoints.fetch("tiny", tmp_path, progress=False).read_bytes() == GOOD
    assert server.asked == ["/flaky", "/flaky"]


def test_a_download_that_gave_up_is_continued_by_the_next_one(server, enter, tmp_path):
    """The second half is sent by itself: without the first one the hash would not agree."""
    half, length = len(GOOD) // 2, {"Content-Length": str(len(GOOD))}
    server.answers["/flaky"] = [(200, length, GOOD[:half]), (503, {}, b"")]
    enter(server.url("/flaky"))
    with pytest.raises(FetchError, match="HTTP 503"):
        checkpoints.fetch("tiny", tmp_path, progress=False)
    assert left_behind(tmp_path) == []
    rest = {"Content-Range": f"bytes {half}-{len(GOOD) - 1}/{len(GOOD)}"}
    page = (200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>")
    server.answers["/portal"] = [page]  # of a network that wants a login: what there is must survive it
    server.answers["/flaky"] = [(206, rest, GOOD[half:])]
    enter(server.url("/portal"), server.url("/flaky"))
    assert checkpoints.fetch("tiny", tmp_path, progress=False).read_bytes() == GOOD


def test_without_a_known_hash_nothing_of_an_earlier_run_is_continued(server, enter, tmp_path):
    (tmp_path / ".tiny.bin.part").write_bytes(b"of another file")
    server.answers["/good"] = [(200, {}, GOOD)]
    enter(server.url("/good"), sha256=None, bytes=None)
    path = checkpoints.fetch("tiny", tmp_path, progress=False, unverified=True)
    assert path.read_bytes() == GOOD


def test_progress_can_be_silenced(server, enter, tmp_path, capsys):
    server.answers["/good"] = [(503, {}, b""), (200, {}, GOOD)]
    enter(server.url("/good"))
    checkpoints.fetch("tiny", tmp_path / "one", progress=False)
    assert capsys.readouterr().err == ""
    checkpoints.fetch("tiny", tmp_path / "two")
    assert "SHA-256 agrees" in capsys.readouterr().err


def test_a_busy_server_is_asked_again(server, enter, tmp_path):
    server.answers["/busy"] = [(503, {}, b""), (429, {}, b""), (200, {}, GOOD)]
    enter(server.url("/busy"))
    assert checkpoints.fetch("tiny", tmp_path, progress=False).read_bytes() == GOOD


def test_when_all_fail_one_error_lists_each_answer_and_how_to_provide_the_file(server, enter, tmp_path):
    server.answers["/short"] = [(200, {"Content-Length": str(len(GOOD))}, GOOD[:100])]
    server.answers["/wrong"] = [(200, {}, GOOD[::-1])]
    server.answers["/page"] = [(200, {"Content-Type": "text/html"}, b"<html>")]
    page = {"kind": "page", "url": "https://example.org/tiny"}
    enter(*map(server.url, ("/gone", "/short", "/wrong", "/page")), page)
    with pytest.raises(FetchError) as caught:
        checkpoints.fetch("tiny", tmp_path, progress=False)
    message = str(caught.value)
    wrong = hashlib.sha256(GOOD[::-1]).hexdigest()
    for part in (
        "HTTP 404",
        "the body ended early",
        "attempts without progress: 3",
        wrong,
        "web page instead of the file",
    ):
        assert part in message
    for part in ("tiny.bin", str(tmp_path), f"{len(GOOD):,} bytes", SHA, "https://example.org/tiny"):
        assert part in caught.value.remedy
    assert left_behind(tmp_path) == []


def test_nobody_listening_is_reported_as_such(enter, tmp_path, monkeypatch):
    monkeypatch.setenv("ASDFLOW_BACKOFF", "0")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    enter({"kind": "https", "url": "http://127.0.0.1:9/weights"})
    with pytest.raises(FetchError, match="the connection failed"):
        checkpoints.fetch("tiny", tmp_path, progress=False)


def test_a_file_inside_a_wheel_is_fetched_with_pip(enter, tmp_path, monkeypatch):
    wheel = tmp_path / "index" / "tinyweights-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tinyweights/model.bin", GOOD)
        file.writestr(
            "tinyweights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinyweights\nVersion: 1.0\n"
        )
        file.writestr(
            "tinyweights-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr("tinyweights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    enter({"kind": "pypi", "package": "tinyweights==1.0", "member": "tinyweights/model.bin"})
    assert checkpoints.fetch("tiny", tmp_path / "store", progress=False).read_bytes() == GOOD
    enter({"kind": "pypi", "package": "tinyweights==1.0", "member": "tinyweights/none.bin"})
    with pytest.raises(FetchError, match=r"has no file tinyweights/none\.bin"):
        checkpoints.fetch("tiny", tmp_path / "other", progress=False)
    enter({"kind": "pypi", "package": "tinyweights==2.0", "member": "tinyweights/model.bin"})
    with pytest.raises(FetchError, match=r"pip download failed.*tinyweights==2\.0"):
        checkpoints.fetch("tiny", tmp_path / "other", progress=False)


def test_a_good_file_placed_by_hand_is_used_without_asking_any_source(server, enter, tmp_path):
    enter(server.url("/good"))
    (tmp_path / "tiny.bin").write_bytes(GOOD)
    assert checkpoints.fetch("tiny", tmp_path, progress=False) == tmp_path / "tiny.bin"
    assert server.asked == []


@pytest.mark.parametrize("use", [checkpoints.locate, checkpoints.fetch])
def test_a_wrong_file_placed_by_hand_is_refused_naming_both_hashes_and_left_alone(enter, tmp_path, use):
    enter()
    (tmp_path / "tiny.bin").write_bytes(b"mine")
    with pytest.raises(FetchError) as caught:
        use("tiny", tmp_path)
    assert hashlib.sha256(b"mine").hexdigest() in str(caught.value) and SHA in str(caught.value)
    assert (tmp_path / "tiny.bin").read_bytes() == b"mine"


def test_an_absent_file_is_explained(enter, tmp_path):
    enter()
    with pytest.raises(FetchError, match="is not there") as caught:
        checkpoints.locate("tiny", tmp_path)
    assert f"under the name tiny.bin in {tmp_path}/" in caught.value.remedy


def test_a_file_of_unknown_hash_needs_the_explicit_option(server, enter, tmp_path):
    server.answers["/good"] = [(200, {}, GOOD)]
    enter(server.url("/good"), sha256=None, bytes=None)
    with pytest.raises(FetchError, match="unverified: true"):
        checkpoints.fetch("tiny", tmp_path, progress=False)
    assert server.asked == []
    path = checkpoints.fetch("tiny", tmp_path, progress=False, unverified=True)
    with pytest.raises(FetchError, match="unverified: true"):
        checkpoints.locate("tiny", tmp_path)
    assert checkpoints.locate("tiny", tmp_path, unverified=True) == path


def test_the_option_does_not_excuse_a_file_whose_hash_is_known(enter, tmp_path):
    enter()
    (tmp_path / "tiny.bin").write_bytes(b"mine")
    with pytest.raises(FetchError, match="expected"):
        checkpoints.locate("tiny", tmp_path, unverified=True)


def test_a_path_is_accepted_by_its_hash_or_by_the_option(enter, tmp_path):
    enter()
    good, mine = tmp_path / "renamed.bin", tmp_path / "mine.bin"
    good.write_bytes(GOOD)
    mine.write_bytes(b"mine")
    assert checkpoints.resolve(good) == good
    assert checkpoints.resolve(mine, unverified=True) == mine
    with pytest.raises(FetchError, match="not registered"):
        checkpoints.resolve(mine)
    with pytest.raises(FetchError, match="neither a registered name nor an existing file"):
        checkpoints.resolve(tmp_path / "none.bin")


def test_the_object_id_of_a_git_repository_stands_for_a_hash(server, enter, tmp_path):
    """`printf hello | git hash-object --stdin` gives the id."""
    server.answers = {"/good": [(200, {}, b"hello")], "/other": [(200, {}, b"hullo")]}
    blob = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"
    enter(server.url("/other"), server.url("/good"), sha256=None, bytes=None, git_blob=blob)
    path = checkpoints.fetch("tiny", tmp_path)
    assert path.read_bytes() == b"hello"
    assert checkpoints.resolve(path.rename(tmp_path / "mine"))
    path.write_bytes(b"hullo")
    with pytest.raises(FetchError, match=f"git object id .* expected {blob}"):
        checkpoints.locate("tiny", tmp_path)


class Harmless:
    """Would create a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


WITH_WEIGHTS = [
    name
    for name in encoders.REGISTRY.names()
    if "checkpoint" in encoders.REGISTRY.member(name).__dataclass_fields__
]


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_every_encoder_checks_the_hash_before_it_opens_the_file(enter, tmp_path, monkeypatch, name):
    """A file of another hash holds code; it must be refused for its hash and not be looked into."""
    enter(encoder=name)
    monkeypatch.setenv("ASDFLOW_CHECKPOINTS", str(tmp_path))
    path, trace = tmp_path / "tiny.bin", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Harmless(trace), protocol=2))
    for reference, message in (("tiny", "is not checkpoint 'tiny'"), (str(path), "is not registered")):
        encoder = build({"name": name, "checkpoint": reference})
        with pytest.raises(FetchError, match=message):
            encoder.layer_frames(np.zeros((1, 10 * 48000), np.float32))
    assert not trace.exists()


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_every_encoder_refuses_code_in_an_accepted_file_without_running_it(tmp_path, name):
    path, trace = tmp_path / "own.pt", tmp_path / "ran"
    path.write_bytes(pickle.dumps({"model": Harmless(trace)}, protocol=2))
    encoder = build({"name": name, "checkpoint": str(path), "unverified": True})
    with pytest.raises((FetchError, DataError), match=re.escape(str(path))):
        encoder.layer_frames(np.zeros((1, 10 * 48000), np.float32))
    assert not trace.exists()


def test_the_environment_moves_the_folder(enter, tmp_path, monkeypatch):
    enter()
    (tmp_path / "tiny.bin").write_bytes(GOOD)
    monkeypatch.setenv("ASDFLOW_CHECKPOINTS", str(tmp_path))
    assert checkpoints.locate("tiny") == tmp_path / "tiny.bin"
    monkeypatch.delenv("ASDFLOW_CHECKPOINTS")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FetchError, match=r"resources/checkpoints/tiny\.bin"):
        checkpoints.locate("tiny")


def test_the_registry_is_complete_and_names_encoders_sources_licence_and_citation():
    entries = registry.load_registry()
    assert list(entries) == checkpoints.names()
    assert len({entry.file for entry in entries.values()}) == len(entries)
    hashes = [entry.sha256 for entry in entries.values() if entry.sha256]
    assert len(set(hashes)) == len(hashes)
    yamnet = entries["yamnet"]
    assert (yamnet.bytes, yamnet.licence) == (4126810, "Apache-2.0")
    assert yamnet.sha256 == "10c95ea3eb9a7bb4cb8bddf6feb023250381008177ac162ce169694d05c317de"
    assert [source.kind for source in yamnet.sources] == ["pypi", "https", "https"]


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("licence: MIT", "license: MIT", "licence"),
        ("sha256: null", "sha256: abc", "sha256"),
        ("kind: https", "kind: ftp", "sources"),
        ("last: [1, 4]", "last: [1]", "layers"),
    ],
)
def test_a_broken_entry_is_named_with_its_key(tmp_path, before, after, key):
    text = """
tiny:
  encoder: yamnet
  file: tiny.bin
  title: test
  bytes: null
  sha256: null
  licence: MIT
  sample_rate: 16000
  layers: {last: [1, 4]}
  citation: nobody
  sources: [{kind: https, url: "https://example.org/tiny"}]
"""
    path = tmp_path / "encoders.yaml"
    path.write_text(text)
    assert registry.load_registry(path)["tiny"].layers == {"last": (1, 4)}
    path.write_text(text.replace(before, after))
    with pytest.raises(ConfigError) as caught:
        registry.load_registry(path)
    assert "'tiny'" in str(caught.value) and key in str(caught.value)


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(ConfigError, match="Did you mean 'yamnet'"):
        checkpoints.locate("yamnett")
