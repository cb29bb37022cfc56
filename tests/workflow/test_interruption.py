"""A killed run is resumed by the same command and ends in the same bytes; so does a run on one core."""

from __future__ import annotations

import pytest

from asdflow.commands.reproduce import compare

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


@pytest.mark.parametrize(
    "stage", ["clips/own/*.parquet", "embeddings/**/*.parquet", "metrics/**/*.parquet"], ids=lambda s: s[:5]
)
def test_a_run_killed_at_any_stage_resumes_and_ends_in_the_same_bytes(built, fresh, stage):
    fresh.start_and_kill_when(stage)
    fresh.run()
    outcome = compare(built.folder / "results", fresh.folder / "results")
    assert outcome.equal, outcome


def test_one_core_gives_the_same_bytes_as_two(built, fresh):
    fresh.run(cores=1)
    outcome = compare(built.folder / "results", fresh.folder / "results")
    assert outcome.equal, outcome
