"""Fixtures that several parts of the suite use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference vectors and real recordings that the project does not distribute."""
    folder = Path(os.environ.get("ASDFLOW_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("reference data absent: set ASDFLOW_SHARED to their folder")
    return folder
