"""What is made from the code is what is committed."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from asdflow.config import documentation, schema

REMEDY = "run `make docs` and commit what it writes"


def test_the_options_page_is_up_to_date(root):
    assert documentation.text() == (root / "config/README.md").read_text(encoding="utf-8"), REMEDY


def test_the_schema_for_editors_is_up_to_date(root):
    committed = (root / "config/schemas/config.schema.json").read_text(encoding="utf-8")
    assert schema.text() == committed, REMEDY
    Draft202012Validator.check_schema(json.loads(committed))


def test_every_committed_study_keeps_the_schema_and_says_where_it_is(root):
    files = sorted((root / "config").rglob("*.yaml"))
    assert len(files) >= 3
    for file in files:
        text = file.read_text(encoding="utf-8")
        first = text.splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema="), file
        assert (file.parent / first.split("=")[1]).resolve() == root / "config/schemas/config.schema.json"
        assert not list(Draft202012Validator(schema.schema()).iter_errors(YAML(typ="safe").load(text))), file


@pytest.mark.parametrize("word", ["sweeps.md", "`members`", "### `embeddings`"])
def test_the_options_page_names(word):
    assert word in documentation.text()
