"""What a data set lacks is known before the run, left out with its reason, and the rest is finished."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from project import Project, write_tone

from asdflow.products import tables

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("cannot_run")]

CONFIG = """\
title: four data sets of which three lack something
datasets:
  whole: {kind: folder, root: recordings}
  unlabelled: {kind: folder, root: unlabelled}
  plain: {kind: folder, root: plain}
  one_domain: {kind: folder, root: one_domain}
encoders:
  logmel: {name: logmel}
poolings:
  mean: {name: mean}
detectors:
  nn: {backend: {name: knn, k: 1, metric: cosine}}
  apart: {backend: {name: domain_knn}}
  mixed: {backend: {name: knn, k: 1, metric: cosine}, normalization: {name: memmixup}}
  pca: {backend: {name: pca_residual, rank: 3}}
fusions:
  all: {name: z_min}
  some: {name: z_min, members: [nn, pca]}
metrics: {rounds: 100}
report: {clips: 1}
"""
NEEDING = {"apart", "mixed", "all"}
SYSTEMS = {"nn", "pca", "some", *NEEDING}
LACKING = {"plain": {"domain"}, "unlabelled": {"label"}, "one_domain": set()}


def write_table(folder: Path, lacking: set[str], targets: bool = True) -> None:
    """A clips.csv of one machine, ten train clips, four test clips a label and two a recording."""
    columns = [name for name in ("domain", "label") if name not in lacking]
    lines = [",".join(["path", "machine", "split", "recording", *columns])]
    for split, label, count in (("train", "normal", 10), ("test", "normal", 4), ("test", "anomaly", 4)):
        for number in range(count):
            domain = "target" if targets and number % 5 < 2 else "source"
            path = f"{split}_{label}_{number}.wav"
            write_tone(folder / path, [number, len(split), len(label)], 500, domain, label)
            recording = f"{split}_{label}_{number // 2}" if split == "test" else path
            known = {"domain": domain, "label": label if split == "test" else "normal"}
            lines.append(",".join([path, "mill", split, recording, *(known[name] for name in columns)]))
    (folder / "clips.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> tuple[Project, str]:
    """The finished study, and what the run said."""
    project = Project.create(tmp_path_factory.mktemp("cannot_run") / "project", CONFIG)
    for name, lacking in LACKING.items():
        write_table(project.folder / name, lacking, targets=name != "one_domain")
    outcome = project.run("all")
    return project, outcome.stdout + outcome.stderr
