"""Each file of the library is edited in turn: what would be redone is what the table of house.py says."""

from __future__ import annotations

import shutil
from fnmatch import fnmatch
from pathlib import Path

import pytest
from house import JOBS, REDONE

from asdflow.plan import digests

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"
KINDS = (".py", ".j2", ".css", ".js", ".json")
FILES = sorted(
    path.relative_to(WORKFLOW / "asdflow").as_posix()
    for path in (WORKFLOW / "asdflow").rglob("*")
    if path.suffix in KINDS
)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A copy of the library, its scripts and resources, with digests taken from it."""
    folder = tmp_path_factory.mktemp("library")
    for part in ("workflow/asdflow", "workflow/scripts"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(WORKFLOW.parent / part, folder / part, ignore=ignored)
    (folder / "resources").mkdir()
    for file in (WORKFLOW.parent / "resources").glob("*.*"):
        shutil.copy(file, folder / "resources")
    patch = pytest.MonkeyPatch()
    patch.setattr(digests, "PACKAGE", folder / "workflow/asdflow")
    patch.setattr(digests, "SCRIPTS", folder / "workflow/scripts")
    yield folder / "workflow/asdflow"
    patch.undo()


def now() -> dict[str, str]:
    """Digest of every job of the table."""
    return {name: digests.code_digest(*job) for name, job in JOBS.items()}


@pytest.fixture(scope="module")
def before(library) -> dict[str, str]:
    """Digests of the library as it is."""
    return now()


def expected(file: str) -> set[str]:
    """Jobs that the table names for a file."""
    found = [jobs for jobs, patterns in REDONE.items() if any(fnmatch(file, one) for one in patterns.split())]
    assert len(found) <= 1, f"{file} stands twice"
    return set(found[0]) if found else set()


def test_a_comment_in_every_file_redoes_nothing(library, before):
    files = [library / file for file in FILES if file.endswith(".py")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    for file, text in zip(files, texts, strict=True):
        file.write_text(f"{text}\n# a comment\n", encoding="utf-8")
    try:
        assert now() == before
    finally:
        for file, text in zip(files, texts, strict=True):
            file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("file", FILES)
def test_a_constant_redoes_what_the_table_says(library, before, file):
    path = library / file
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\nEDITED = 1\n", encoding="utf-8")
    try:
        after = now()
    finally:
        path.write_text(text, encoding="utf-8")
    assert {name for name in after if after[name] != before[name]} == expected(file)


def test_every_pattern_of_the_table_is_of_a_file():
    patterns = [one for patterns in REDONE.values() for one in patterns.split()]
    assert [one for one in patterns if not any(fnmatch(file, one) for file in FILES)] == []
