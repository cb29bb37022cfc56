"""SECURITY.md promises nothing that no test holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_test_that_the_page_names_exists(file, test):
    assert re.search(rf"def {test}\(", (ROOT / file).read_text(encoding="utf-8"))


def test_every_kind_of_input_has_one():
    parts = re.split(r"^\*\*", PAGE.split("## Not trusted")[1].split("## What is not")[0], flags=re.MULTILINE)
    assert len(parts) > 7
    for part in parts[1:]:
        assert "tests/" in part, part[:40]
