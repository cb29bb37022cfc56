"""YAMNet: its building blocks against loops, its patches, and the weights of the registered file."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from asdflow import checkpoints
from asdflow.encoders.yamnet import PATCH, SHAPES
from asdflow.foundation.errors import ConfigError, DataError, FetchError
from asdflow.pipeline.build import encoder
from yamnet_weights import yamnet_folder

RATE = 16000


@pytest.fixture(scope="module")
def weights():
    return yamnet_folder()


@pytest.fixture
def yamnet(weights, monkeypatch):
    """Build YAMNet with parameters."""
    monkeypatch.setenv("ASDFLOW_CHECKPOINTS", str(weights))
    return lambda **changed: encoder({"name": "yamnet"} | changed)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


# -- patches: no weights needed ------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", ["zero", "overlap", "drop"])
@pytest.mark.parametrize("samples", [15600, 15601, 15760, 23279, 23280, 23281, 32000, 160000])
@pytest.mark.parametrize("hop_s", [0.48, 0.97, 2.0])
def test_patches_follow_the_tail_rule(tail, samples, hop_s):
    starts = encoder({"name": "yamnet", "tail": tail, "hop_s": hop_s}).patch_starts(samples)
    hop = round(hop_s * RATE)
    whole = [start for start in range(0, samples, hop) if start + PATCH <= samples]
    rest = samples - (whole[-1] + PATCH)
    assert not np.any(starts % 160)
    if tail == "drop" or rest == 0:
        assert starts.tolist() == whole
    elif tail == "zero":  # one more patch, if it begins inside the clip
        assert starts.tolist() == whole + [whole[-1] + hop] * (whole[-1] + hop < samples)
    else:  # covers the end, up to less than one step of the picture
        assert starts.tolist()[: len(whole)] == whole
        assert 0 <= samples - (starts[-1] + PATCH) < 160


def test_the_zero_rule_pads_to_a_whole_number_of_hops_like_the_reference():
    # YAMNet's features.py: hops after the first patch = ceil((samples - 15600) / hop)
    for samples in range(15600, 60000, 977):
        patches = len(encoder({"name": "yamnet", "tail": "zero"}).patch_starts(samples))
        assert patches == 1 + -(-(samples - 15600) // 7680)


def test_frame_times_are_the_centres_of_receptive_fields():
    yamnet = encoder({"name": "yamnet", "layers": ["layer1"]})
    # Block 1 sees picture steps 2i to 2i + 2: its centre is step 2i + 1, in the middle of 400 samples.
    np.testing.assert_allclose(yamnet.frame_times(PATCH)[:2], [(160 + 200) / RATE, (480 + 200) / RATE])
    np.testing.assert_allclose(yamnet.frame_times(PATCH, "embedding"), [0.4875])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"layers": ["layer15"]}, "'layer15' is not known"),
        ({"layers": []}, "layers"),
        ({"hop_s": 0.485}, "multiple of 0.01"),
        ({"hop_s": 0}, "less than or equal to the minimum of 0"),
        ({"tail": "repeat"}, "Known: zero, overlap, drop"),
        ({"patch_hop": 0.48}, "is not known"),
    ],
)
def test_a_wrong_parameter_is_explained(changed, words):
    with pytest.raises(ConfigError, match=words):
        encoder({"name": "yamnet"} | changed)


def test_building_reads_no_weights_and_imports_no_torch(tmp_path):
    code = (
        "import sys; from asdflow.pipeline.build import encoder; e = encoder({'name': 'yamnet'});"
        "assert e.output_shape('layer9', 32000) == (24, 4, 512); assert 'torch' not in sys.modules"
    )
    environment = {"ASDFLOW_CHECKPOINTS": str(tmp_path), "PATH": ""}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_absent_weights_are_explained_on_first_use(tmp_path, monkeypatch):
    monkeypatch.setenv("ASDFLOW_CHECKPOINTS", str(tmp_path))
    with pytest.raises(FetchError, match=r"yamnet\.tflite"):
        encoder({"name": "yamnet"}).frames(noise(1, PATCH))


# -- one convolution: no weights needed ----------------------------------------------------------------------


def same_convolution(x, weight, bias, stride, depthwise):
    """TensorFlow's definition, in loops. x (time, bands, inputs), weight (3, 3, inputs, outputs or 1)."""
    height, width = (-(-size // stride) for size in x.shape[:2])
    outputs = x.shape[2] if depthwise else weight.shape[3]
    total = [max((n - 1) * stride + 3 - size, 0) for n, size in zip((height, width), x.shape, strict=False)]
    padded = np.pad(x, [(pad // 2, pad - pad // 2) for pad in total] + [(0, 0)])
    y = np.zeros((height, width, outputs))
    for i in range(height):
        for j in range(width):
            window = padded[i * stride : i * stride + 3, j * stride : j * stride + 3]
            products = window[..., None] * weight
            y[i, j] = products.sum((0, 1))[:, 0] if depthwise else products.sum((0, 1, 2))
    return np.clip(y + bias, 0, 6)


@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_convolutions_are_tensorflows(stride):
    import torch

    from asdflow.encoders.yamnet import _network

    rng = np.random.default_rng(0)
    x, weight, bias = (
        rng.standard_normal((6, 4, 5)),
        rng.standard_normal((3, 3, 5, 1)),
        rng.standard_normal(5),
    )
    pointwise = _network.Convolution("pointwise", torch.eye(5), torch.zeros(5), 1, None, margin=stride == 2)
    stored = torch.tensor(weight[..., 0], dtype=torch.float32).permute(2, 0, 1)[:, None]
    depthwise = _network.Convolution(
        "depthwise", stored.contiguous(), torch.tensor(bias, dtype=torch.float32), stride, None
    )
    batch = torch.tensor(np.stack([x, -x]), dtype=torch.float32)
    got = _network._apply(depthwise, _network._apply(pointwise, batch)).numpy()
    for row, clip in enumerate((x, -x)):
        expected = same_convolution(np.clip(clip, 0, 6), weight, bias, stride, depthwise=True)
        np.testing.assert_allclose(got[row], expected, atol=1e-5)


def test_the_first_convolution_is_tensorflows():
    import torch

    from asdflow.encoders.yamnet import _network

    rng = np.random.default_rng(0)
    x, weight, bias = (
        rng.standard_normal((8, 6, 1)),
        rng.standard_normal((3, 3, 1, 7)),
        rng.standard_normal(7),
    )
    full = _network.Convolution(
        "full",
        torch.tensor(weight.reshape(9, 7), dtype=torch.float32),
        torch.tensor(bias, dtype=torch.float32),
        2,
        None,
    )
    got = _network._apply(full, torch.tensor(x[None, :, :, 0], dtype=torch.float32)).numpy()
    np.testing.assert_allclose(got[0], same_convolution(x, weight, bias, 2, depthwise=False), atol=1e-5)


# -- the registered file -------------------------------------------------------------------------------------


def test_the_registry_lists_the_layers_that_the_encoder_gives():
    entry = checkpoints.checkpoint("yamnet")
    assert entry.layers == {layer: shape[1:] for layer, shape in SHAPES.items()}
    assert entry.sample_rate == RATE


def test_the_front_end_is_the_documented_one(yamnet):
    network = yamnet()._network
    n = np.arange(400)
    np.testing.assert_allclose(network.window, 0.5 - 0.5 * np.cos(2 * np.pi * n / 400), atol=1e-6)
    # HTK mel scale, 64 triangles from 125 to 7500 Hz (yamnet's params.py), bins 31.25 Hz apart.
    edges = np.linspace(*(1127 * np.log(1 + np.array([125, 7500]) / 700)), 66)
    bins = 1127 * np.log(1 + np.arange(257) * 31.25 / 700)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    up = (bins[:, None] - low) / (middle - low)
    down = (high - bins[:, None]) / (high - middle)
    np.testing.assert_allclose(network.mel, np.maximum(0, np.minimum(up, down)), atol=1e-4)
    np.testing.assert_allclose(network.offset, 0.001)


def test_every_layer_has_the_promised_shape_and_time_steps(yamnet):
    both = yamnet(layers=list(SHAPES))
    outputs = both.layer_frames(noise(2, 32000))
    for layer, frames in outputs.items():
        assert frames.shape == (2, *both.output_shape(layer, 32000))
        assert frames.shape[1] == len(both.frame_times(32000, layer))
        assert frames.dtype == np.float32 and frames.min() >= 0 and frames.max() <= 6  # ReLU6


def test_a_layer_is_the_same_whether_others_are_asked_for_or_not(yamnet):
    wave = noise(1, 20000)
    together = yamnet(layers=["layer14", "layer3", "embedding"]).layer_frames(wave)
    assert list(together) == ["layer14", "layer3", "embedding"]
    for layer, frames in together.items():
        assert np.array_equal(yamnet(layers=[layer]).frames(wave), frames)


def test_the_embedding_is_the_mean_of_the_last_block(yamnet):
    outputs = yamnet(layers=["layer14", "embedding"]).layer_frames(noise(1, 32000))
    blocks = outputs["layer14"].reshape(-1, 6, 1024)
    np.testing.assert_allclose(outputs["embedding"][0, :, 0], blocks.mean(1), atol=1e-5)


def test_patches_are_those_of_the_clip_cut_by_hand(yamnet):
    wave = noise(1, 40000)
    whole = yamnet(layers=["layer7"])
    starts = whole.patch_starts(40000)
    pieces = [whole.frames(wave[:, start : start + PATCH])[0] for start in starts]
    np.testing.assert_allclose(whole.frames(wave)[0], np.concatenate(pieces), atol=1e-4)


def test_the_zero_rule_equals_silence_behind_the_clip(yamnet):
    wave = noise(1, 20000)
    padded = np.pad(wave, ((0, 0), (0, 15600 + 7680 - 20000)))
    assert np.array_equal(yamnet(tail="zero").frames(wave), yamnet(tail="zero").frames(padded))


def test_a_burst_changes_most_the_step_whose_time_is_nearest(yamnet):
    layer = yamnet(layers=["layer5"], hop_s=0.97)
    quiet = noise(1, 47520)
    burst = quiet.copy()
    burst[0, 20000:20800] += 0.8 * np.sin(2 * np.pi * 1500 * np.arange(800) / RATE)
    change = np.abs(layer.frames(burst) - layer.frames(quiet))[0].mean((1, 2))
    assert abs(layer.frame_times(47520)[change.argmax()] - 20400 / RATE) < 0.06


def test_a_tone_moves_up_the_bands_with_its_frequency(yamnet):
    layer = yamnet(layers=["layer1"])
    t = np.arange(PATCH) / RATE
    background = noise(1, PATCH) * 0.01

    def band(hz: float) -> int:
        tone = (background + 0.3 * np.sin(2 * np.pi * hz * t)).astype(np.float32)
        change = np.abs(layer.frames(tone) - layer.frames(background))[0].mean((0, 2))
        return int(change.argmax())

    assert band(300.0) < band(1000.0) < band(3000.0) < band(6000.0)


def test_results_do_not_depend_on_the_number_of_threads(yamnet):
    import torch

    layer, wave, before = yamnet(layers=["layer9", "embedding"]), noise(2, 32000), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = layer.layer_frames(wave)
        torch.set_num_threads(2)
        two = layer.layer_frames(wave)
    finally:
        torch.set_num_threads(before)
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_file_that_is_no_tflite_file_is_refused(tmp_path):
    path = tmp_path / "other.tflite"
    path.write_bytes(b"no flatbuffer at all")
    with pytest.raises(DataError, match="no TFLite file"):
        encoder({"name": "yamnet", "checkpoint": str(path), "unverified": True}).frames(noise(1, PATCH))


def test_class_scores_know_a_tone_from_silence(yamnet):
    """AudioSet classes in the file's order: 494 is Silence (yamnet_class_map.csv)."""
    scores = yamnet().class_scores(np.zeros((1, PATCH), np.float32))
    assert scores.shape == (1, 1, 521) and scores[0, 0].argmax() == 494
    t = np.arange(PATCH) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 1000 * t)[None].astype(np.float32)
    assert yamnet().class_scores(tone)[0, 0].argmax() != 494
