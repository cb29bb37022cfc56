"""The worked example of CONTRIBUTING.md works, as it stands there."""

from __future__ import annotations

import re

import pytest

from asdflow.products import tables

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def test_the_worked_example_adds_a_backend_by_one_file_and_one_line(project):
    page = (project.folder / "CONTRIBUTING.md").read_text()
    place = re.search(r"^`(workflow/asdflow/backends/\w+\.py)`:$", page, re.M)[1]
    source = re.search(r"```python\n(.*?)```", page, re.S)[1]
    line = re.search(r"```yaml\n(.*?)```", page, re.S)[1]
    (project.folder / place).write_text(source)
    config = project.folder / "config/small.yaml"
    config.write_text(config.read_text().replace("fusions:", line + "fusions:"))

    rebuilt = project.rebuilt_by()

    scores = sorted(name for name in rebuilt if name.startswith("scores/"))
    assert scores and {name.split("/")[-2] for name in scores} == {"centroid"}
    table = tables.read(project.folder / "results" / scores[0], "scores")
    assert min(table.column("score").to_pylist()) > 0
    assert "centroid" in (project.folder / "results/leaderboard.csv").read_text()
