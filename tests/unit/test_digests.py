"""A digest covers what decides a result, and nothing else."""

from __future__ import annotations

import pytest

from asdflow.plan import digests
from asdflow.products.schemas import SCHEMAS

FILES = {
    "foundation/registry.py": "class Registry: pass\n",
    "foundation/progress.py": "def bar(): pass\n",
    "backends/__init__.py": "from asdflow.foundation.registry import Registry\nREGISTRY = Registry()\n",
    "backends/knn.py": (
        '"""Neighbours."""\nfrom asdflow.backends import R\n\ndef f():\n    from asdflow import dist\n'
    ),
    "backends/pca.py": "from . import _common\n",
    "backends/_common.py": "X = 1\n",
    "dist.py": "import numpy\nfrom tqdm import tqdm\n",
    "stages/__init__.py": "",
    "stages/scores.py": (
        "from typing import TYPE_CHECKING\nfrom asdflow.backends import REGISTRY\n"
        "from asdflow.foundation.progress import bar\n"
        "if TYPE_CHECKING:\n    from asdflow.hints import Hint\n"
    ),
    "hints.py": "class Hint: pass\n",
    "measures/__init__.py": "from asdflow.measures.auc import auc\n",
    "measures/auc.py": "def auc(): pass\n",
    "measures/other.py": "Y = 1\n",
    "report/__init__.py": "from asdflow.report import page\n",
    "report/page.py": (
        "import jinja2\nfrom asdflow.foundation.progress import bar\nLICENCES = 'licences.yaml'\n"
    ),
    "report/page.html.j2": "<p>\n",
    "report/page.html.j2.swp": "of an editor\n",
}
SCRIPTS = {
    "scores.py": "from asdflow.stages.scores import f\n",
    "metrics.py": "from asdflow.measures import auc\n",
    "report.py": "from asdflow import report\n",
}


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small package with the shape of the real one."""
    package = tmp_path / "workflow" / "asdflow"
    texts = FILES | {f"../scripts/{name}": text for name, text in SCRIPTS.items()}
    texts |= {"../../resources/licences.yaml": "mit\n", "../../resources/unread.yaml": "nobody\n"}
    for name, text in texts.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    monkeypatch.setattr(digests, "PACKAGE", package)
    monkeypatch.setattr(digests, "SCRIPTS", package.parent / "scripts")
    yield package
    digests._version.cache_clear()


def changes(library, file, *call, text="EDITED = 1"):
    """Whether editing a file changes the digest of a call."""
    before = digests.code_digest(*call)
    path = library / file
    path.write_text(path.read_text() + f"\n{text}\n")
    return digests.code_digest(*call) != before


KNN = ("scores", "asdflow.backends.knn")
REPORT = ("report", "asdflow.backends.knn")


@pytest.mark.parametrize("file", ["backends/knn.py", "dist.py", "stages/scores.py", "../scripts/scores.py"])
def test_what_a_member_runs_is_covered(library, file):
    assert changes(library, file, *KNN)


@pytest.mark.parametrize(
    "file",
    [
        *("backends/pca.py", "backends/_common.py", "foundation/registry.py", "foundation/progress.py"),
        *("hints.py", "measures/auc.py", "report/page.html.j2", "../../resources/licences.yaml"),
    ],
)
def test_other_members_plumbing_and_hints_are_not_covered(library, file):
    assert not changes(library, file, *KNN)


@pytest.mark.parametrize("file", ["backends/knn.py", "dist.py", "../scripts/scores.py"])
def test_a_comment_decides_nothing(library, file):
    assert not changes(library, file, *KNN, text="# a comment")


def test_a_docstring_counts_where_it_is_printed_only(library):
    path = library / "backends/knn.py"
    scores, page = digests.code_digest(*KNN), digests.code_digest(*REPORT)
    path.write_text(path.read_text().replace("Neighbours.", "Nearest neighbours."))
    assert digests.code_digest(*KNN) == scores
    assert digests.code_digest(*REPORT) != page


@pytest.mark.parametrize(
    "file",
    ["report/page.html.j2", "report/page.py", "foundation/progress.py", "../../resources/licences.yaml"],
)
def test_a_page_counts_templates_plumbing_and_the_resources_that_it_names(library, file):
    assert changes(library, file, *REPORT)


@pytest.mark.parametrize("file", ["report/page.html.j2.swp", "../../resources/unread.yaml"])
def test_files_that_nothing_reads_count_nowhere(library, file):
    assert not changes(library, file, *REPORT)


def test_a_relative_import_is_followed(library):
    assert changes(library, "backends/_common.py", "scores", "asdflow.backends.pca")


def test_a_package_counts_with_what_its_first_file_imports(library):
    assert changes(library, "measures/auc.py", "metrics")
    assert not changes(library, "measures/other.py", "metrics")


def test_a_new_version_of_a_library_that_computes_counts_and_no_other(library, monkeypatch):
    installed = {"numpy": "2.4.6", "tqdm": "4.70", "torch": "2.14"}
    monkeypatch.setattr(digests, "version", installed.__getitem__)
    digests._version.cache_clear()
    before = digests.code_digest(*KNN)
    for name, same in (("tqdm", True), ("torch", True), ("numpy", False)):
        monkeypatch.setitem(installed, name, "99")
        digests._version.cache_clear()
        assert (digests.code_digest(*KNN) == before) is same, name


def test_a_library_of_an_option_counts_where_it_is_named(library):
    assert digests.code_digest(*KNN, libraries=["faiss-cpu"]) != digests.code_digest(*KNN)


def test_the_time_stamp_and_the_folder_do_not_matter(library, tmp_path):
    before = digests.code_digest(*KNN)
    (library / "dist.py").touch()
    assert digests.code_digest(*KNN) == before


def test_schemas_have_digests_of_their_own():
    assert len({digests.schema_digest(kind) for kind in SCHEMAS}) == len(SCHEMAS)
