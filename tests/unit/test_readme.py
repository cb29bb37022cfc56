"""The pages keep their promises: every file that they link to exists, and the README's example runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from yamnet_weights import yamnet_folder

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "config" / "README.md"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_example_in_python_runs_and_scores_a_new_sound_higher(monkeypatch):
    monkeypatch.setenv("ASDFLOW_CHECKPOINTS", str(yamnet_folder()))
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"## In Python\n+```python\n(.*?)```", page, re.S).group(1)
    random = np.random.default_rng(0)
    time = np.arange(16000) / 16000
    hum = np.sin(2 * np.pi * 120 * time) + 0.1 * random.normal(size=(6, 16000))
    squeal = hum[:1] + 0.5 * np.sin(2 * np.pi * 2500 * time)
    names = {
        "normal_waveforms": 0.1 * hum[:4].astype(np.float32),
        "new_waveforms": 0.1 * np.concatenate([hum[4:], squeal]).astype(np.float32),
    }
    lines = code.strip().splitlines()
    assert lines[-2].startswith("detector.score_samples")
    lines[-2] = "scores = " + lines[-2]
    exec("\n".join(lines), names)
    assert names["scores"].argmax() == 2
    assert names["detector"].self_scores().shape == (4,)
