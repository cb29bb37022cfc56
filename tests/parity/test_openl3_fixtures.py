"""OpenL3 against vectors of the reference implementations (shared/docs/openl3.md, "Fixtures")."""

import numpy as np
import pytest
import torch

from asdflow.checkpoints import locate
from asdflow.encoders.openl3.checkpoint import read
from asdflow.encoders.openl3.mel import mel_filters
from asdflow.encoders.openl3.network import Network
from asdflow.encoders.openl3.picture import windows
from asdflow.encoders.openl3.resampling import resample
from asdflow.foundation.errors import FetchError
from asdflow.pipeline.build import encoder as build

KERAS, TORCH = "openl3_tiny.h5", "torchopenl3_tiny_mel128_env_512.pth.tar"
CPU = torch.device("cpu")
# Suffix of the expected arrays -> clip, its samples, parameters.
CASES = {
    "0": (0, None, {}),
    "1": (1, None, {}),
    "2": (2, None, {}),
    "short": (0, 19000, {}),
    "0_nocenter": (0, None, {"center": False}),
    "1_hop0.5_nocenter": (1, None, {"center": False, "hop_s": 0.5}),
}
# Prefix of the expected arrays -> parameters, tolerance in decibels, step of the bands that are there.
PICTURES = {
    "mel128": ({}, 2e-3, 1),
    "mel256": ({"picture": "mel256"}, 2e-3, 4),
    "linear": ({"picture": "linear"}, 1e-2, 4),
    "v04_mel128": ({"front_end": "v04"}, 2e-3, 1),
    "v04librosa_mel128": ({"front_end": "v04librosa"}, 2e-3, 4),
}


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "fixtures/openl3"


@pytest.fixture(scope="module")
def expected(folder):
    arrays = {}
    for name in ("openl3_tiny_expected", "openl3_tiny_expected_10s"):
        with np.load(folder / f"{name}.npz") as stored:
            arrays |= dict(stored)
    return arrays


@pytest.fixture(scope="module")
def encoder_of(folder):
    """Builds the encoder of one of the fixture's files."""

    def make(file=KERAS, **parameters):
        path = str(folder / file)
        entry = {"name": "openl3", "checkpoint": path, "unverified": True, "layers": [512, 6144]}
        return build(entry | parameters)

    return make


def wave(expected, clip):
    return expected[f"wave_i16_{clip}"].astype(np.float32) / 32768


def largest(a, b) -> float:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape
    return float(np.abs(a - b).max())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("file", [KERAS, TORCH])
def test_both_embeddings_and_their_times(encoder_of, expected, file, case):
    clip, samples, parameters = CASES[case]
    encoder = encoder_of(file, **parameters)
    samples = wave(expected, clip)[:samples]
    for size, frames in encoder.layer_frames(samples[None]).items():
        assert largest(frames[0].reshape(len(frames[0]), -1), expected[f"mel128_{size}_{case}"]) <= 3e-4
    middle = 0.0 if encoder.center else 0.5  # the reference names the start of an uncentred window
    times = encoder.frame_times(len(samples), "512") - middle
    assert largest(times, expected[f"timestamps_{case}"]) <= 1e-6


@pytest.mark.parametrize("case", PICTURES)
def test_pictures(encoder_of, expected, case):
    parameters, tolerance, step = PICTURES[case]
    pictures = encoder_of(**parameters).pictures(windows(torch.from_numpy(wave(expected, 0)), 4800, False))
    assert largest(pictures[:, ::step], expected[f"{case}_db_0_nocenter"]) <= tolerance


@pytest.mark.parametrize("case", PICTURES)
def test_embeddings_behind_every_picture(encoder_of, expected, case):
    frames = encoder_of(center=False, **PICTURES[case][0]).layer_frames(wave(expected, 0)[None])
    compared = {size: key for size in frames if (key := f"{case}_{size}_0_nocenter") in expected}
    assert "512" in compared
    for size, key in compared.items():
        assert largest(frames[size][0].reshape(1, -1), expected[key]) <= 3e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_the_last_map_of_the_reference_picture(folder, expected, dtype):
    network = Network(read(folder / KERAS).parameters, CPU, dtype)
    maps = network.maps(torch.from_numpy(expected["mel128_db_0_nocenter"]))
    assert largest(maps[0].permute(2, 0, 1), expected["layer_audio_embedding_layer"]) <= 1e-4


def test_both_files_hold_the_same_weights(folder):
    keras, stored = (read(folder / file) for file in (KERAS, TORCH))
    for ours, theirs in zip(keras.parameters.convolutions, stored.parameters.convolutions, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    for ours, theirs in zip(keras.parameters.norms, stored.parameters.norms, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_mel_filters_are_those_stored_with_the_weights(folder, expected):
    filters = mel_filters("htk", 128, 1025, 48000)
    assert largest(filters, expected["mel_basis_mel128"]) <= 1e-8
    assert largest(filters, read(folder / TORCH).mel) <= 1e-8


@pytest.mark.parametrize("kind", ["kaiser_fast", "kaiser_best"])
def test_resampling(expected, kind):
    waveform = torch.from_numpy(expected["resample_in_i16"].astype(np.float32) / 32768)
    assert largest(resample(waveform, 16000, 48000, kind), expected[f"resample_{kind}"]) <= 1e-6


# --- the published weights, where they are on disk ---


@pytest.fixture(scope="module")
def chirp(folder):
    """Outputs of the published weights on a chirp at 44.1 kHz, from openl3's own tests."""
    with np.load(folder / "openl3_real_chirp.npz") as arrays:
        return dict(arrays)


def published(chirp, checkpoint, **parameters):
    """(windows, numbers) of the chirp, or a skipped test."""
    try:
        locate(checkpoint, unverified=True)
    except FetchError:
        pytest.skip(f"the weights {checkpoint} are not on disk")
    entry = {"name": "openl3", "checkpoint": checkpoint, "unverified": True, "sample_rate": 44100}
    frames = build(entry | parameters).frames(chirp["wave_i16_44100"][None].astype(np.float32) / 32768)[0]
    return frames.reshape(len(frames), -1)


def relative(a, b) -> float:
    assert a.shape == b.shape
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@pytest.mark.parametrize(("front_end", "key"), [("v03", "old"), ("v04", "v04")])
def test_published_music_weights(chirp, front_end, key):
    """A chirp is the worst case for rounding: its empty bins lie at the edge of the picture's 80 dB."""
    vectors = published(chirp, "openl3_mel256_music", picture="mel256", layers=[6144], front_end=front_end)
    assert relative(vectors[chirp["rows"]], chirp[f"{key}_music_mel256_6144"]) <= 1e-2
    if key == "old":
        assert relative(vectors.mean(axis=0), chirp["old_music_mel256_6144_mean"]) <= 1e-2


def test_published_linear_weights(chirp):
    """openl3 0.4 with its librosa front end: the others differ by 9 %, by less exact transforms alone."""
    vectors = published(chirp, "openl3_linear_env", picture="linear", layers=[512], center=False, hop_s=0.5)
    assert relative(vectors, chirp["v04librosa_env_linear_512_nocenter_hop05"]) <= 1e-2
