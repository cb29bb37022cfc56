"""docs/own-recordings.md: its examples run, and its tables name every option and column."""

from __future__ import annotations

import re
import textwrap
from dataclasses import fields

import numpy as np
import pytest
import soundfile
from ruamel.yaml import YAML

from asdflow import config, datasets
from asdflow.audio import AudioOptions
from asdflow.audio.noise import NoiseOptions
from asdflow.datasets._clips_csv import COLUMNS


@pytest.fixture(scope="module")
def page(root) -> str:
    return (root / "docs" / "own-recordings.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Fenced blocks of a language, also those indented below a list item."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for _, text in found]


def table(page: str, title: str) -> dict[str, str]:
    """First column to second of the table below a heading."""
    section = page.split(title, 1)[1]
    section = re.split(r"^#+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {cells[0].strip().strip("`"): cells[1].strip() for cells in rows}


def test_the_example_runs_as_it_stands(page, tmp_path):
    listing, study = blocks(page, "csv")[0], blocks(page, "yaml")[0]
    assert len(study.splitlines()) <= 10
    random = np.random.default_rng(1)
    for path in re.findall(r"^\S+\.wav", listing, re.MULTILINE):
        file = tmp_path / "recordings" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, random.uniform(-0.1, 0.1, 8000), 16000)
    (tmp_path / "recordings" / "clips.csv").write_text(listing)
    checked = config.load(YAML(typ="safe").load(study))
    data = datasets.build(checked.datasets["pump"])
    assert data.machine_names("pump", tmp_path) == ["recordings"]
    rows = data.clips_table("pump", tmp_path, "recordings").to_pylist()
    assert len(rows) == 6 and not any(row["warnings"] for row in rows)
    assert {row["recording"] for row in rows} == {"monday", "friday", "friday-late", "broken"}


def test_every_other_example_is_a_valid_data_set(page):
    examples = blocks(page, "yaml")[1:]
    assert examples
    for text in examples:
        for spec in YAML(typ="safe").load(text)["datasets"].values():
            assert datasets.build(spec).name == "folder"


def test_every_column_of_clips_csv_is_explained(page):
    assert tuple(table(page, "## clips.csv")) == COLUMNS


def option_names(cls: type) -> list[str]:
    return sorted("root" if field.name == "folder" else field.name for field in fields(cls))


@pytest.mark.parametrize(
    ("title", "cls"),
    [
        ("### Of a data set of kind `folder`", datasets.REGISTRY.member("folder")),
        ("### `audio`", AudioOptions),
        ("### `noise`", NoiseOptions),
    ],
)
def test_every_option_is_explained_with_its_default(page, title, cls):
    explained = table(page, title)
    assert sorted(explained) == option_names(cls)
    for field in fields(cls):
        shown = explained["root" if field.name == "folder" else field.name]
        if isinstance(field.default, str | bool | int) and field.default is not None:
            assert shown == f"`{str(field.default).lower()}`", field.name
