"""One build of the small study, made once and copied by each test."""

from __future__ import annotations

import pytest
from project import Project


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Project:
    """A project whose study was built completely. Tests must not change it: see `project`."""
    project = Project.create(tmp_path_factory.mktemp("built") / "project")
    project.run()
    return project


@pytest.fixture
def project(built, tmp_path) -> Project:
    """A built project of the test's own."""
    return built.copy(tmp_path / "project")


@pytest.fixture
def fresh(tmp_path) -> Project:
    """A project in which nothing was built."""
    return Project.create(tmp_path / "project")
