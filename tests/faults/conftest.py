"""A local server with simulated years of DCASE, and a working directory whose study would use it."""

from __future__ import annotations

from pathlib import Path

import pytest
from server import Server, simulate

from asdflow.datasets.dcase import registry


@pytest.fixture
def server():
    """An empty server."""
    with Server() as server:
        yield server


@pytest.fixture
def simulated(server, tmp_path, monkeypatch):
    """Call with years: a working directory whose study would use the server."""

    def start(*years: int) -> Path:
        file = simulate(server, tmp_path / "resources", years)
        monkeypatch.setenv(registry.REGISTRY_VARIABLE, str(file))
        monkeypatch.setenv(registry.ZENODO_VARIABLE, server.url)
        (tmp_path / "work").mkdir()
        return tmp_path / "work"

    return start
