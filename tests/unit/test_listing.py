"""`asdflow encoders`: every encoder, every file of weights, its state, and where it has to be put."""

from __future__ import annotations

import hashlib
import re

import pytest
from typer.testing import CliRunner

from asdflow import checkpoints, encoders
from asdflow.checkpoints import models, registry
from asdflow.commands import encoders_listing, encoders_text
from asdflow.commands.cli import app
from asdflow.foundation.errors import ConfigError

GOOD = b"weights"
PAGE = {"kind": "page", "url": "https://example.org/tiny"}
LINK = {"kind": "https", "url": "https://example.org/tiny.bin"}


@pytest.fixture
def enter(monkeypatch):
    """Replace the registry by one entry called "tiny"."""

    def enter(*found, **changed) -> None:
        fields = {
            "name": "tiny",
            "encoder": "beats",
            "file": "tiny.bin",
            "title": "test weights",
            "bytes": 12_345_678,
            "sha256": hashlib.sha256(GOOD).hexdigest(),
            "licence": "MIT",
            "sample_rate": 16000,
            "layers": {"layer0": (8, 4), "layer1": (8, 4), "last": (1, 4)},
            "citation": "nobody",
            "sources": found or (LINK, PAGE),
        }
        entry = registry.Checkpoint.model_validate(fields | changed)
        monkeypatch.setattr(registry, "_entries", lambda: {"tiny": entry})

    return enter


def line(folder, width: int = 140) -> str:
    """The line of the checkpoint called tiny."""
    return next(
        row for row in encoders_text.listing_text(folder, width).splitlines() if row.startswith("  tiny")
    )


def test_the_state_of_a_file_is_told_and_explained(enter, tmp_path):
    def state() -> str:
        (row,) = [row for row in encoders_listing.describe(tmp_path) if row.checkpoint == "tiny"]
        assert row.path == tmp_path / "tiny.bin"
        assert f"  {row.state}  " in line(tmp_path)
        assert re.search(
            rf"^{row.state} +{encoders_listing.STATES[row.state]}$",
            encoders_text.listing_text(tmp_path),
            re.M,
        )
        return row.state

    enter()
    assert state() == "absent"
    (tmp_path / "tiny.bin").write_bytes(GOOD)
    assert state() == "verified"
    (tmp_path / "tiny.bin").write_bytes(b"mine")
    assert state() == "wrong file"
    enter(sha256=None)
    assert state() == "unverified"


@pytest.mark.parametrize(
    ("sources", "sha256", "words"),
    [
        ((LINK, PAGE), "0" * 64, "automatic"),
        ((PAGE,), "0" * 64, "by hand"),
        ((LINK,), None, "automatic, no hash"),
        ((PAGE,), None, "by hand, no hash"),
    ],
)
def test_how_an_absent_file_comes_there_is_told(enter, tmp_path, sources, sha256, words):
    enter(*sources, sha256=sha256)
    assert re.fullmatch(rf"  tiny  absent  {words} +12\.3 MB  tiny\.bin", line(tmp_path))


def test_the_folder_and_the_name_of_every_file_are_told_and_how_many_are_there(enter, tmp_path):
    enter()
    text = encoders_text.listing_text(tmp_path)
    assert f" 0 of 1 known files of weights are in {tmp_path} " in text.replace("\n", " ")
    assert "\n      tiny.bin" in text
    (tmp_path / "tiny.bin").write_bytes(GOOD)
    assert "\n1 of 1 known files" in encoders_text.listing_text(tmp_path)


@pytest.mark.parametrize("width", [80, 140])
def test_no_line_is_wider_than_the_terminal_or_ends_in_blanks(width, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # a short name of the folder, and nothing in it
    lines = encoders_text.listing_text(width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert all(row == row.rstrip() for row in lines)


def test_a_narrow_and_a_wide_listing_say_the_same(tmp_path):
    narrow, wide = (encoders_text.listing_text(tmp_path, width).split() for width in (80, 140))
    assert narrow == wide


def test_every_registered_encoder_and_checkpoint_is_listed_once(tmp_path):
    rows = encoders_listing.describe(tmp_path)
    assert {row.encoder for row in rows} == set(encoders.REGISTRY.names())
    assert sorted(row.checkpoint for row in rows if row.checkpoint) == sorted(checkpoints.names())
    states = {row.encoder: row.state for row in rows if not row.checkpoint}
    assert states["logmel"] == "not needed" and states["huggingface"] == "by folder"


def test_models_of_the_hub_that_were_fetched_are_listed_and_checked(tmp_path):
    folder = tmp_path / "huggingface/somebody/tiny" / ("0" * 40)
    folder.mkdir(parents=True)
    for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
        (folder / name).write_bytes(b"{}")
    (folder / "SHA256SUMS").write_text(models.sums(folder))

    def row() -> encoders_listing.Row:
        (found,) = [row for row in encoders_listing.describe(tmp_path) if row.encoder == "huggingface"]
        return found

    assert (row().checkpoint, row().state, row().path, row().bytes) == (
        "somebody/tiny",
        "verified",
        folder,
        6,
    )
    (folder / "config.json").write_bytes(b"{ }")
    assert row().state == "wrong file"
    assert str(folder) in encoders_text.full_text("somebody/tiny", tmp_path)


def test_one_checkpoint_is_told_in_full(enter, tmp_path):
    enter()
    text = encoders_text.full_text("tiny", tmp_path)
    for part in (
        "absent: not on disk",
        str(tmp_path / "tiny.bin"),
        "12,345,678",
        hashlib.sha256(GOOD).hexdigest(),
        "layer0 to layer1: 8 bands x 4 channels",
        "last: 1 band x 4 channels",
        "https://example.org/tiny.bin",
        "https://example.org/tiny (with a browser)",
        "nobody",
        "{name: beats, checkpoint: tiny}",
    ):
        assert part in text
    assert "tiny" in encoders_text.full_text("beats", tmp_path)
    enter(sha256=None)
    assert "{name: beats, checkpoint: tiny, unverified: true}" in encoders_text.full_text("tiny", tmp_path)


def test_a_link_is_never_broken_over_lines(enter, tmp_path):
    link = "https://example.org/" + "long-" * 40 + "name.bin"
    enter({"kind": "https", "url": link})
    assert f"1.\N{NO-BREAK SPACE}{link}\n" in encoders_text.full_text("tiny", tmp_path, width=80)


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(ConfigError, match=r"Did you mean 'yamnet'\?"):
        encoders_text.full_text("yamnett")


def test_the_command_prints_the_listing_for_the_width_of_the_terminal_without_colour_into_a_file(monkeypatch):
    for width in (80, 140):
        monkeypatch.setenv("COLUMNS", str(width))
        assert CliRunner().invoke(app, ["encoders"]).stdout == encoders_text.listing_text(width=width) + "\n"
    assert CliRunner().invoke(app, ["encoders", "yamnet"]).stdout.startswith("yamnet  YAMNet: ")
