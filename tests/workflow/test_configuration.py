"""Snakemake and every other command read a configuration alike."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def edit(project, old: str, new: str) -> None:
    """Change the study."""
    config = project.folder / "config/small.yaml"
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")


def said(project, *arguments: str) -> str:
    """What a dry run prints."""
    outcome = project.run("-n", *arguments, check=False)
    return outcome.stdout + outcome.stderr


def test_a_key_that_stands_twice_stops_a_run_with_file_line_and_key(project):
    edit(project, "fusions:\n", "  nn: {backend: {name: lof}}\nfusions:\n")
    assert "small.yaml, line 12, key detectors.nn: stands twice. Keep one of them." in said(project)


def test_a_number_with_a_leading_zero_is_no_octal_one(project):
    edit(project, "rounds: 100", "rounds: 0100")
    assert "Nothing to be done" in said(project)


def test_a_setting_of_the_command_line_stands_over_the_file(project):
    assert "Nothing to be done" in said(project, "--config", "metrics={rounds: 100}", "--", "all")
    assert "metrics_of_pooling" in said(project, "--config", "metrics={rounds: 200}", "--", "all")
    text = said(project, "--config", "metrics={rouns: 200}", "--", "all")
    assert "key 'rouns' is not known. Did you mean 'rounds'?" in text
