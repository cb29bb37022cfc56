"""What a run and a dry run print: a line a job that says what it makes, reasons in words, what failed."""

from __future__ import annotations

import re

import pytest

from snakemake_logger_plugin_asdflow import described, meaning

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def edited(project, old: str, new: str):
    path = project.folder / "config/small.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return project


def test_a_run_prints_a_numbered_line_a_job_that_names_its_machine(project):
    outcome = edited(project, "p: 3.0", "p: 4.0").run()
    lines = (outcome.stdout + outcome.stderr).splitlines()
    jobs = [line for line in lines if re.match(r"^ *\d+/\d+  \S+.*\d\.\d s$", line)]
    total = int(jobs[0].split("/")[1].split()[0])
    assert [int(line.split("/")[0]) for line in jobs] == list(range(1, total + 1))
    assert any("scores" in line and "gem" in line and "pump" in line for line in jobs)
    assert len(lines) <= total + 6


def test_a_dry_run_lists_jobs_by_reason_and_rule(project):
    printed = edited(project, "p: 3.0", "p: 4.0").run("-n").stdout
    changed, _, follows = printed.partition("follows from the others:")
    assert re.search(r"^options changed, .*3\.0.* to .*4\.0.*:\n  embeddings: own .*gem", changed, re.M)
    assert re.search(r"^  distances: own logmel logmel gem cosine (fan|pump), ", follows, re.M)
    assert re.search(r"^total +\d+$", printed, re.M)


def test_code_and_options_are_told_apart(project):
    path = project.folder / "workflow/asdflow/backends/knn.py"
    path.write_text(path.read_text() + "\nEDITED = True\n")
    assert re.search(r"^code or libraries changed:\n  scores", project.run("-n").stdout, re.M)


def test_a_job_that_fails_is_one_line_with_its_log_beside_its_own_error(project):
    recording = project.folder / "recordings/fan/train/section_00_source_train_normal_0000_speed_0.wav"
    recording.write_bytes(b"RIFF of nothing")
    outcome = project.run(check=False)
    printed = outcome.stdout + outcome.stderr
    assert outcome.returncode
    assert re.search(r"^FAILED  clips own fan  \(log: results/logs/clips/own/fan\.log\)$", printed, re.M)
    assert printed.count("ERROR") == 1 and recording.name in printed
    assert "Traceback" not in printed and "CalledProcessError" not in printed


def test_a_job_that_the_kernel_kills_is_said_to_have_wanted_memory(project):
    path = project.folder / "workflow/scripts/clips.py"
    path.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n" + path.read_text())
    outcome = edited(project, "own: {kind", "other: {kind").run(check=False)
    printed = outcome.stdout + outcome.stderr
    assert "killed by the system, most likely for want of memory" in printed
    assert "FAILED  clips other fan" in printed and "Traceback" not in printed


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Missing output files: a.parquet", "not made yet"),
        ("Missing output files: a.parquet; Input files updated by another job: b", "not made yet"),
        ("Input files updated by another job: b.parquet", "follows from the others"),
        ("Updated input files: a.wav", "input files changed"),
        ("Something that a later release says: x", "Something that a later release says"),
    ],
)
def test_reasons_are_told_in_words(reason, words):
    assert meaning(reason) == words


def test_a_job_without_wildcards_goes_by_its_product():
    assert described({}, ["results/report.html"]) == "results/report.html"
