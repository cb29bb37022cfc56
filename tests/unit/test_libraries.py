"""What is said to decide the numbers."""

from __future__ import annotations

import platform
from importlib.metadata import version

from asdflow.foundation import libraries


def test_versions_name_the_libraries_that_compute_and_no_others():
    found = libraries.versions()
    assert list(found)[:2] == ["Python", "asdflow"]
    assert found["Python"] == platform.python_version() and found["torch"] == version("torch")
    assert {"numpy", "scipy", "numba", "torch", "torchaudio", "soundfile", "polars"} <= set(found)
    assert not {"matplotlib", "snakemake", "requests", "pyarrow"} & set(found)


def test_a_library_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(libraries, "DECIDING", ("numpy", "not-a-library-of-anybody"))
    assert set(libraries.versions()) == {"Python", "asdflow", "numpy"}
