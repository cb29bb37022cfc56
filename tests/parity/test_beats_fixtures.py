"""BEATs against vectors that the reference implementation computed (shared/docs/beats.md, "Fixtures")."""

import numpy as np
import pytest
import torch

from asdflow.encoders import _kaldi
from asdflow.encoders.beats.checkpoint import read
from asdflow.encoders.beats.network import BeatsNetwork
from asdflow.pipeline.build import encoder as build

CLIPS = range(3)  # 1.0 s, 2.37 s, 10 s


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "fixtures/beats"


@pytest.fixture(scope="module")
def expected(folder):
    with np.load(folder / "beats_tiny_expected.npz") as arrays:
        return dict(arrays)


def beats(path, **parameters):
    return build({"name": "beats", "checkpoint": str(path), "unverified": True} | parameters)


def largest(a, b) -> float:
    return float(np.abs(np.asarray(a, np.float64) - b).max())


@pytest.mark.parametrize("clip", CLIPS)
def test_last_layer(folder, expected, clip):
    frames = beats(folder / "beats_tiny.pt").frames(expected[f"wave_{clip}"][None])[0]
    assert frames.shape[1] == 8
    assert largest(frames.reshape(-1, frames.shape[-1]), expected[f"last_{clip}"]) <= 2e-5


@pytest.mark.parametrize("clip", CLIPS[:2])
def test_filter_bank_tokens_and_every_layer(folder, expected, clip):
    encoder = beats(folder / "beats_tiny.pt", layers=[0, 1, 2, 3])
    wave = expected[f"wave_{clip}"][None]
    picture = encoder.picture(torch.from_numpy(wave))
    assert largest(picture[0], expected[f"fbank_{clip}"]) <= 1e-4
    assert largest(encoder._network.patches(picture)[0], expected[f"tokens_{clip}"]) <= 2e-5
    for number, frames in enumerate(encoder.layer_frames(wave).values()):
        assert largest(frames[0].reshape(-1, frames.shape[-1]), expected[f"layer{number}_{clip}"]) <= 2e-5


def test_fine_tuned_probabilities_of_clips_of_unequal_length(folder, expected):
    encoder = beats(folder / "beats_tiny_finetuned.pt")
    for clip in CLIPS:
        probabilities = encoder.probabilities(expected[f"wave_{clip}"][None])
        assert largest(probabilities[0], expected[f"finetuned_probs_{clip}"]) <= 1e-6


def test_a_padded_batch_is_the_unpadded_clips(folder, expected):
    encoder = beats(folder / "beats_tiny.pt")
    waves = [expected[f"wave_{clip}"] for clip in CLIPS]
    lengths = [len(wave) for wave in waves]
    batch = np.zeros((3, max(lengths)), np.float32)
    for row, wave in enumerate(waves):
        batch[row, : len(wave)] = wave
    for clip, frames in enumerate(encoder.frames(batch, lengths)):
        assert largest(frames.reshape(-1, frames.shape[-1]), expected[f"last_{clip}"]) <= 2e-5


def test_float32_agrees_with_float64(folder, expected):
    config, state, _ = read(folder / "beats_tiny.pt")
    network = BeatsNetwork(config, state, torch.device("cpu"), torch.float64)
    for clip in CLIPS:
        wave = torch.from_numpy(expected[f"wave_{clip}"][None]).double()
        picture = (_kaldi.fbank(wave * 2**15) - 15.41663) / (2 * 6.55582)
        assert largest(network.layers(picture, {3})[3][0], expected[f"last_{clip}"]) <= 1e-4
