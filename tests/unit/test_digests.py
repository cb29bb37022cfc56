"""A digest covers the code that decides a result, and nothing else."""

from __future__ import annotations

import pytest

from asdflow.plan import digests
from asdflow.products.schemas import SCHEMAS


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small package with the shape of the real one."""
    package = tmp_path / "asdflow"
    files = {
        "foundation/registry.py": "class Registry: pass\n",
        "backends/__init__.py": "from asdflow.foundation.registry import Registry\n"
        "REGISTRY = Registry('backend', 1)\n",
        "backends/knn.py": "from asdflow.backends import R\n\ndef f():\n    from asdflow import dist\n",
        "backends/pca.py": "from . import _common\n",
        "backends/_common.py": "X = 1\n",
        "dist.py": "import numpy\n",
        "stages/scores.py": "from asdflow.backends import REGISTRY\n",
        "measures/__init__.py": "from asdflow.measures.auc import auc\n",
        "measures/auc.py": "def auc(): pass\n",
    }
    scripts = {
        "scores.py": "from asdflow.stages.scores import f\n",
        "metrics.py": "from asdflow.measures import auc\n",
    }
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    (tmp_path / "scripts").mkdir()
    for name, text in scripts.items():
        (tmp_path / "scripts" / name).write_text(text)
    monkeypatch.setattr(digests, "PACKAGE", package)
    monkeypatch.setattr(digests, "SCRIPTS", tmp_path / "scripts")
    caches = (digests._files, digests._imports, digests._is_module)
    for cache in caches:
        cache.cache_clear()
    yield package
    for cache in caches:
        cache.cache_clear()


def changes(library, file, *call):
    """Whether editing a file changes the digest of a call."""
    before = digests.code_digest(*call)
    path = library / file
    path.write_text(path.read_text() + "\n# edited\n")
    return digests.code_digest(*call) != before


KNN = ("scores", "asdflow.backends.knn")


@pytest.mark.parametrize("file", ["backends/knn.py", "dist.py", "stages/scores.py", "../scripts/scores.py"])
def test_what_a_member_runs_is_covered(library, file):
    assert changes(library, file, *KNN)


@pytest.mark.parametrize(
    "file", ["backends/pca.py", "backends/_common.py", "foundation/registry.py", "backends/__init__.py"]
)
def test_other_members_and_plumbing_are_not_covered(library, file):
    assert not changes(library, file, *KNN)


def test_a_relative_import_is_followed(library):
    assert changes(library, "backends/_common.py", "scores", "asdflow.backends.pca")


def test_a_package_that_is_no_axis_counts_with_all_of_its_files(library):
    assert changes(library, "measures/auc.py", "metrics")


def test_the_time_stamp_does_not_matter(library):
    before = digests.code_digest(*KNN)
    (library / "dist.py").touch()
    assert digests.code_digest(*KNN) == before


def test_schemas_have_digests_of_their_own():
    assert len({digests.schema_digest(kind) for kind in SCHEMAS}) == len(SCHEMAS)
