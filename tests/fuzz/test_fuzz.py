"""Whatever a file holds: a result, or an error that names it. See harness.py."""

from __future__ import annotations

import os

import harness
import pytest

SECONDS = float(os.environ.get("ASDFLOW_FUZZ_SECONDS", "2"))
PARSERS = harness.parsers()


@pytest.mark.parametrize("name", PARSERS)
def test_mutated_inputs_give_a_result_or_an_error_of_ours(name):
    assert harness.watched(name, SECONDS) == ""


@pytest.mark.parametrize("name", PARSERS)
def test_whole_inputs_are_read(name, tmp_path):
    """Or mutations of them would try nothing."""
    parser = PARSERS[name]
    (tmp_path / "input").mkdir()
    for data in parser.inputs(tmp_path):
        (tmp_path / "input" / parser.file).write_bytes(data)
        parser.parse(tmp_path / "input" / parser.file)


@pytest.mark.parametrize("name", PARSERS)
def test_what_once_broke_a_parser_does_so_no_more(name, tmp_path):
    parser = PARSERS[name]
    for data in harness.kept(parser):
        (tmp_path / parser.file).write_bytes(data)
        assert harness.tried(parser, tmp_path / parser.file) == ""


def test_the_mutations_of_a_parser_are_the_same_in_every_run():
    first, second = (harness.mutations([b"abcdef", b"xyz"], (b"!",), "seed") for _ in range(2))
    assert [next(first) for _ in range(500)] == [next(second) for _ in range(500)]


def test_a_parser_that_breaks_is_found(tmp_path, monkeypatch):
    def parse(path):
        if b"\xff" in path.read_bytes():
            raise KeyError("a crash")

    monkeypatch.setattr(harness, "CRASHES", tmp_path)
    broken = harness.Parser("broken", "x", lambda _: [b"abc"], parse)
    (tmp_path / "made").mkdir()
    count, (crash,) = harness.run(broken, 5.0, tmp_path / "made")
    assert count > 1 and "a crash" in crash and b"\xff" in next(tmp_path.glob("broken/*")).read_bytes()
