"""EAT and SSLAM against vectors of the reference implementations (shared/docs/eat.md, "Fixtures")."""

import numpy as np
import pytest
import torch

from asdflow.encoders.eat.checkpoint import read
from asdflow.encoders.eat.network import EatNetwork, sine_positions
from asdflow.pipeline.build import encoder as build

PRETRAINED = ("tiny_pretrain.pt", "tiny_hf_pretrain.safetensors")
TUNED = {"tiny_finetune.pt": "ft_logits", "tiny_hf_finetune.safetensors": "ft_logits_hf"}
ROUNDING = 5e-5  # 1e-5 on the processor of the vectors, 2.2e-5 on another
FRAMES = {0: 112, 1: 240, 2: 1024}  # of the pictures of 1.0 s, 2.4 s and 10 s


@pytest.fixture(scope="module", params=["eat", "sslam"])
def model(request):
    return request.param


@pytest.fixture(scope="module")
def folder(shared, model):
    return shared / "fixtures" / model


@pytest.fixture(scope="module")
def expected(folder, model):
    with np.load(folder / f"{model}_tiny_expected.npz") as arrays:
        return dict(arrays)


@pytest.fixture
def encoder_of(folder, model):
    """Builds the encoder of one of the fixture's files."""

    def make(file, **parameters):
        path = str(folder / f"{model}_{file}")
        return build({"name": model, "checkpoint": path, "unverified": True} | parameters)

    return make


def wave(expected, clip):
    return expected[f"wave_i16_{clip}"][None].astype(np.float32) / 32768


def largest(a, b) -> float:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape
    return float(np.abs(a - b).max())


def every_token(encoder_of, file, wave, **parameters) -> dict[str, np.ndarray]:
    """(1 + patches, width) of each layer: the class token, then the patches, as the reference orders them."""
    first, rest = (
        encoder_of(file, tokens=tokens, **parameters).layer_frames(wave) for tokens in ("class", "patches")
    )
    return {
        layer: np.concatenate([frames[0, 0], rest[layer][0].reshape(-1, frames.shape[-1])])
        for layer, frames in first.items()
    }


@pytest.mark.parametrize("clip", FRAMES)
def test_picture(encoder_of, expected, clip):
    encoder = encoder_of(PRETRAINED[0], target_length=FRAMES[clip])
    picture = encoder.picture(torch.from_numpy(wave(expected, clip)))[0]
    assert expected[f"target_{clip}"] == len(picture)
    rows = expected.get(f"fbank_rows_{clip}", slice(None))
    # The sums of the clip's mean are added in another order on another number of threads, and transforms and
    # matrix products round differently on another kind of processor: 9e-5 was seen.
    assert largest(picture[rows], expected[f"fbank_{clip}"]) <= 3e-4


@pytest.mark.parametrize("clip", [0, 1])
@pytest.mark.parametrize("file", PRETRAINED)
def test_tokens_and_every_layer_of_short_clips_at_their_own_length(encoder_of, expected, file, clip):
    encoder = encoder_of(file)
    picture = encoder.picture(torch.from_numpy(wave(expected, clip)))
    assert largest(encoder._network.patches(picture)[0], expected[f"tokens_{clip}"]) <= ROUNDING
    layers = every_token(encoder_of, file, wave(expected, clip), layers=[0, 1, 2, 3, "last"])
    for number in range(4):
        assert largest(layers[f"layer{number}"], expected[f"layer{number}_{clip}"]) <= ROUNDING
    assert largest(layers["last"], expected[f"last_{clip}"]) <= ROUNDING


@pytest.mark.parametrize("file", PRETRAINED)
def test_ten_seconds_padded_to_1024_frames(encoder_of, expected, file):
    last = every_token(encoder_of, file, wave(expected, 2), target_length=1024)["last"]
    if "last_2" in expected:
        assert largest(last, expected["last_2"]) <= ROUNDING
    else:
        assert largest(last[0], expected["last_cls_2"]) <= ROUNDING
        bands = last[1:].reshape(64, 8, -1).mean(axis=0)
        assert largest(bands, expected["last_timemean_2"]) <= ROUNDING


@pytest.mark.parametrize("model", ["eat"], indirect=True)  # SSLAM's vectors hold one target length only
@pytest.mark.parametrize("file", PRETRAINED)
@pytest.mark.parametrize(("clip", "length"), [(0, 1024), (1, 128)], ids=["padded", "cut"])
def test_other_target_lengths(encoder_of, expected, file, clip, length):
    last = every_token(encoder_of, file, wave(expected, clip), target_length=length)["last"]
    assert largest(last, expected[f"last_t{length}_{clip}"]) <= ROUNDING


@pytest.mark.parametrize("clip", FRAMES)
@pytest.mark.parametrize("file", TUNED)
def test_fine_tuned_class_token_logits_and_probabilities(encoder_of, expected, file, clip):
    encoder = encoder_of(file, tokens="class", target_length=FRAMES[clip])
    clips = wave(expected, clip)
    assert largest(encoder.frames(clips)[0, 0, 0], expected[f"ft_last_cls_{clip}"]) <= ROUNDING
    logits = encoder._network.logits(encoder.picture(torch.from_numpy(clips)))[0]
    ours, other = (largest(logits, expected[f"{key}_{clip}"]) for key in _own_first(TUNED[file]))
    assert ours <= 5e-6 < other  # each layout has its own eps in front of the head
    assert largest(encoder.probabilities(clips)[0], expected[f"ft_probs_{clip}"]) <= 2e-6


def _own_first(key):
    return key, next(other for other in TUNED.values() if other != key)


def test_labels_of_a_fine_tuned_fairseq_file_stand_in_the_order_of_its_classes(encoder_of):
    assert encoder_of("tiny_finetune.pt").labels == tuple(f"/m/{index:05d}" for index in range(13))


def test_both_layouts_hold_the_same_network(folder, model):
    for fairseq, hub in (PRETRAINED, tuple(TUNED)):
        states = [read(folder / f"{model}_{file}")[1] for file in (fairseq, hub)]
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_float32_agrees_with_float64(encoder_of, folder, model, expected):
    config, state, _ = read(folder / f"{model}_{PRETRAINED[0]}")
    network = EatNetwork(config, state, torch.device("cpu"), torch.float64)
    for clip in (0, 1):
        picture = encoder_of(PRETRAINED[0]).picture(torch.from_numpy(wave(expected, clip)).double())
        assert largest(network.layers(picture, {3})[3][0], expected[f"last_{clip}"]) <= 1e-4


@pytest.mark.parametrize("model", ["eat"], indirect=True)
def test_positions_of_the_base_size(expected):
    table = sine_positions(768, 8, 768)
    assert largest(table[expected["pos768_index"]], expected["pos768"]) <= 1e-4
