"""The worked example of an encoder in CONTRIBUTING.md works as it stands there, by one file and one line."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import test_encoder_contract as contract
from ruamel.yaml import YAML

from asdflow import config, encoders
from asdflow.config import schema
from asdflow.pipeline.build import encoder as build
from asdflow.stages.frames import extract, read_clip
from tiny_encoders import sound

NAME = "octaves"
CLAIMS = {
    name: claim
    for name, claim in inspect.getmembers(contract, inspect.isfunction)
    if name.startswith("test_") and {"encoder", "spec"} & set(inspect.signature(claim).parameters)
}


@pytest.fixture(scope="module")
def section(root: Path) -> str:
    page = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return page.partition("\n## Adding an encoder\n")[2].partition("\n## ")[0]


@pytest.fixture
def added(section, tmp_path, monkeypatch) -> None:
    """The file of the page is in the folder of encoders, as far as Python can tell."""
    place = re.search(r"^`workflow/asdflow/encoders/(\w+)\.py`:$", section, re.M)[1]
    (tmp_path / f"{place}.py").write_text(re.search(r"```python\n(.*?)```", section, re.S)[1])
    monkeypatch.setattr(encoders, "__path__", [*encoders.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    schema.schema.cache_clear()
    yield
    schema.schema.cache_clear()
    sys.modules.pop(f"{encoders.__name__}.{place}", None)
    encoders.REGISTRY._members.pop(place, None)


def test_it_keeps_every_claim_of_the_contract(added):
    assert len(CLAIMS) > 10
    spec = {"name": NAME, "layers": [NAME]}
    for claim in CLAIMS.values():
        given = {"encoder": build(spec), "spec": spec, "value": np.nan}
        claim(**{name: given[name] for name in inspect.signature(claim).parameters})


def test_a_tone_is_loudest_in_its_octave_at_the_level_of_its_amplitude(added):
    time = np.arange(16000) / 16000
    for band in range(7):
        middle = 62.5 * 2**band * 1.5  # the centre of a bin
        tone = np.sin(2 * np.pi * middle * time).astype(np.float32)
        frames = build({"name": NAME}).frames(tone[None])[0, :, :, 0]
        assert (frames.argmax(axis=1) == band).all()
        # A Hann window spreads a sine's height 1 over three bins: 1, 1/2 and 1/2 high.
        np.testing.assert_allclose(frames[:, band], 10 * np.log10(1 + 1.5e6), atol=0.01)


def test_the_line_of_the_page_puts_it_into_a_study_and_its_frames_into_a_file(added, section, tmp_path):
    line = re.search(r"```yaml\n(.*?)```", section, re.S)[1]
    text = (
        "datasets: {own: {kind: folder, root: recordings}}\n"
        f"encoders:\n{line}"
        "poolings: {mean: {name: mean}}\n"
        "detectors: {nn: {backend: {name: knn, k: 1, metric: cosine}}}\n"
    )
    study = config.load(YAML(typ="safe").load(text))
    assert study.layers == {NAME: (NAME,)}
    encoder = build(study.encoders[NAME])
    clips = pa.table({"clip": ["b", "a"]})
    waves = {"a": sound(16000, "a"), "b": sound(9000, "b")}
    path = tmp_path / "frames.parquet"
    extract(clips, lambda row, rate: waves[row["clip"]], encoder, path, {}, progress=False)
    for name, wave in waves.items():
        frames = read_clip(path, name, NAME)
        assert frames.shape == (1 + (len(wave) - 2048) // 512, 7, 1)
        assert np.array_equal(frames, encoder.frames(wave[None])[0])
