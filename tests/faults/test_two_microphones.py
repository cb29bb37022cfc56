"""Several channels: averaged only where nothing better is known, and then it is said."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from asdflow import datasets
from asdflow.audio import AudioOptions
from asdflow.audio.clip import read_clip
from asdflow.config import load


def build(year: int, **options):
    return datasets.build({"kind": "dcase", "year": year, **options})


def test_dcase_2026_is_heard_by_the_near_microphone(tmp_path):
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, (8000, 2))
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="DOUBLE")
    heard = read_clip(tmp_path / "a.wav", 16000, build(2026).audio)
    np.testing.assert_array_equal(heard, samples[:, 0].astype(np.float32))


@pytest.mark.parametrize("audio", [{"level": "rms"}, {"length": "pad10"}])
def test_other_options_leave_that_default_alone(audio):
    assert build(2026, audio=audio).audio.channel == 0


@pytest.mark.parametrize("channel", ["mix", 0, 1])
def test_what_is_asked_for_goes_before_it(channel):
    assert build(2026, audio={"channel": channel}).audio.channel == channel


def test_every_other_data_set_is_the_mean_of_its_channels():
    for year in range(2020, 2026):
        assert build(year).audio.channel == "mix"
    assert datasets.build({"kind": "folder", "root": "x"}).audio.channel == "mix"


def test_a_study_reads_2026_so_as_well(tmp_path):
    study = load(
        {
            "datasets": {"d": {"kind": "dcase", "year": 2026}},
            "encoders": {"logmel": {"name": "logmel"}},
            "poolings": {"mean": {"name": "mean"}},
            "detectors": {"nn": {"backend": {"name": "knn", "k": 1, "metric": "cosine"}}},
        },
        [],
    )
    spec = study.datasets["d"]
    assert datasets.build({key: spec[key] for key in spec if key != "simulated"}).audio.channel == 0


def test_options_by_themselves_say_nothing_of_the_channel(tmp_path):
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, (800, 2))
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="DOUBLE")
    np.testing.assert_array_equal(
        read_clip(tmp_path / "a.wav", 16000, AudioOptions()), samples.mean(axis=1).astype(np.float32)
    )
