"""Configuration files: YAML 1.2 for every command, and one line for whatever is wrong with a file."""

from __future__ import annotations

import pytest

from asdflow.config import read
from asdflow.config.reading import place
from asdflow.config.reading import read as plain
from asdflow.foundation.errors import ConfigError


@pytest.fixture
def written(tmp_path):
    """Writes a file of some bytes or text."""

    def write(content: str | bytes, name: str = "study.yaml"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10),
        ("0o17", 15),
        ("1e-6", 1e-6),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("~", None),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("'010'", "010"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
    ],
)
def test_values_are_those_of_yaml_1_2(written, text, value):
    assert plain([written(f"key: {text}\n")]) == {"key": value}


@pytest.mark.parametrize("key", ["2024", "yes", "1.5", "null", "0x10", "010"])
def test_names_are_text_as_they_are_written(written, key):
    assert plain([written(f"{key}: {{{key}: 1}}\n")]) == {key: {key: 1}}


def test_a_file_stands_over_those_before_it_key_by_key_and_the_command_line_over_all(written):
    first = written("metrics: {rounds: 100, confidence: 0.9}\ntitle: one\n", "a.yaml")
    second = written("metrics: {rounds: 200}\n", "b.yaml")
    found = plain([first, second], ["metrics={confidence: 1e-1}"])
    assert found == {"metrics": {"rounds": 200, "confidence": 0.1}, "title": "one"}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcd", "bcde", strict=True)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nn: 1\nnn: 2\n", r"line 2, key nn: stands twice"),
        ("a: {b: 1,\n  b: 2}\n", r"line 2, key a\.b: stands twice"),
        ("a:\n\tb: 1\n", r"line 2: .*'\\t'.*indent with spaces"),
        ("a: [1,\nb: 2\n", r"line \d: .*Correct the YAML"),
        ("a: 1\n b: 2\n", r"line 2: .*Correct the YAML"),
        (b"a: 1\nb: caf\xe9\n", r"line 2: byte 0xe9 is not UTF-8\. Save the file as UTF-8"),
        ("a: 1\n".encode("utf-16"), r"line 1: byte 0xff is not UTF-8"),
        (BOMB, r"line \d, key .*too many values"),
        ("a: &a {b: *a}\n", r"too many values"),
        ("a: " + "[" * 3000, r"nested too deeply"),
        ("- 1\n", r"does not consist of keys"),
        ("", r"does not consist of keys"),
        ("a: !!python/name:os.system\n", r"line 1, key a: has the tag"),
        ("a: {<<: {b: 1}}\n", r"line 1, key a\.<<: is no key of YAML 1\.2"),
        ("? [1]\n: 2\n", r"line 1, .*key that is no text"),
        ("a: 1\n---\nb: 2\n", r"line 2: .*another document"),
        ("a: \x07\n", r"is not YAML"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_that_says_where_and_what(written, content, message):
    with pytest.raises(ConfigError, match=message) as caught:
        plain([written(content)])
    assert "study.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml: does not exist"):
        plain([tmp_path / "gone.yaml"])


def test_a_place_is_that_of_the_last_file_that_has_the_key(written):
    first = written("a: {b: 1}\n", "a.yaml")
    second = written("\na:\n  b: [1,\n    2]\n", "b.yaml")
    assert place([first, second], ["a", "b"]) == f"{second}, line 3, key a.b"
    assert place([first, second], ["a", "b", 1]) == f"{second}, line 4, key a.b.1"
    assert place([first, second], ["c"]) == f"{second}, key c"


def test_an_error_of_a_study_names_the_line(written):
    file = written(
        "datasets: {d: {kind: factory}}\nencoders: {logmel: {name: logmel}}\npoolings: {mean: {name: mean}}\n"
        "detectors:\n  2024: {backend: {name: knn}}\n  nn: {backend: {name: knn, kk: 1}}\n"
    )
    with pytest.raises(ConfigError, match=r"line 6, key detectors\.nn\.backend\.kk: .*Known: .*metric"):
        read([file])
    file.write_text(file.read_text().replace(", kk: 1", ""))
    assert list(read([file]).detectors) == ["2024", "nn"]
