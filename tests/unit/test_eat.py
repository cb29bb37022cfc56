"""EAT and SSLAM against a slow computation from their formulas; their files, lengths and tokens."""

import json
import math
import re

import numpy as np
import pytest
import torch

from asdflow.encoders import _kaldi
from asdflow.encoders.eat.checkpoint import read
from asdflow.encoders.eat.config import EatConfig
from asdflow.encoders.eat.network import EatNetwork, sine_positions
from asdflow.foundation.errors import ConfigError, DataError, FetchError
from asdflow.pipeline.build import encoder as build
from tiny_encoders import (
    EAT_CONFIG,
    eat_fairseq_content,
    eat_hugging_face,
    eat_tensors,
    sound,
    write_safetensors,
)

CPU = torch.device("cpu")
SILENCE_OF_PADDING = 4.268 / (2 * 4.569)  # a row of 0 after normalisation, 0.46706


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return eat_hugging_face(tmp_path_factory.mktemp("eat"))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    return eat_hugging_face(tmp_path_factory.mktemp("eat"), tuned=True)


def eat(path, **parameters):
    return build({"name": "eat", "checkpoint": str(path), "unverified": True} | parameters)


def fairseq(path, **changes):
    torch.save(eat_fairseq_content(**changes), path)
    return path


def clips(count: int, samples: int = 9000) -> np.ndarray:
    return np.stack([sound(samples, "eat", index) for index in range(count)])


# --- the numbers ---


def slow_layers(w, image, heads):
    """Tokens of all layers in float64, with a loop wherever the page has an index. image (frames, 128)."""
    w = {name: tensor.double().numpy() for name, tensor in w.items()}

    def linear(name, x):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(name, x):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def gelu(x):
        return x * np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))))(x)

    def attention(name, x):
        width = x.shape[1]
        q, k, v = np.split(linear(f"{name}.qkv", x), 3, axis=1)
        out = np.zeros_like(x)
        for head in range(heads):
            part = slice(head * width // heads, (head + 1) * width // heads)
            logits = q[:, part] @ k[:, part].T / math.sqrt(width // heads)
            shares = np.exp(logits - logits.max(axis=1, keepdims=True))
            out[:, part] = shares / shares.sum(axis=1, keepdims=True) @ v[:, part]
        return linear(f"{name}.proj", out)

    x = [w["extra_tokens"][0, 0]]
    for t in range(len(image) // 16):
        for f in range(8):
            patch = image[16 * t : 16 * t + 16, 16 * f : 16 * f + 16]
            token = (
                np.tensordot(w["local_encoder.proj.weight"][:, 0], patch, 2) + w["local_encoder.proj.bias"]
            )
            x.append(token + w["fixed_positional_encoder.positions"][0, 8 * t + f])
    x = norm("pre_norm", np.stack(x))
    layers = [x]
    while f"blocks.{len(layers) - 1}.norm1.weight" in w:
        name = f"blocks.{len(layers) - 1}"
        b = norm(f"{name}.norm1", x + attention(f"{name}.attn", x))
        x = norm(f"{name}.norm2", b + linear(f"{name}.mlp.fc2", gelu(linear(f"{name}.mlp.fc1", b))))
        layers.append(x)
    return layers


@pytest.mark.parametrize(
    "config",
    [EAT_CONFIG, EatConfig(width=24, depth=3, heads=2, hidden=40, steps=9)],
    ids=["usual ratios", "other sizes"],
)
def test_every_layer_is_what_the_formulas_give(config):
    weights = eat_tensors(config)
    picture = np.random.default_rng(0).standard_normal((64, 128))
    expected = slow_layers(weights, picture, config.heads)
    layers = EatNetwork(config, weights, CPU).layers(torch.from_numpy(picture[None]).float(), {0, 1, 2})
    for number in range(3):
        np.testing.assert_allclose(layers[number][0].numpy(), expected[number], atol=1e-5)


def test_float32_agrees_with_float64(checkpoint):
    config, state, _ = read(checkpoint)
    picture = eat(checkpoint).picture(torch.from_numpy(clips(2, 24000)))
    single, double = (
        EatNetwork(config, state, CPU, dtype).layers(picture.to(dtype), {2})[2]
        for dtype in (torch.float32, torch.float64)
    )
    assert (single.double() - double).abs().max() < 1e-4


def test_numbers_of_the_day_it_agreed_with_the_reference(checkpoint, root):
    """Vectors of our own; the reference's own are in tests/parity."""
    wave = clips(1, 16000)
    found = eat(checkpoint, layers=["layer0", "layer1", "last"]).layer_frames(wave)
    found["class"] = eat(checkpoint, tokens="class").frames(wave)
    with np.load(root / "tests/data/eat_tiny.npz") as expected:
        assert sorted(expected) == sorted(found)
        for layer, values in found.items():
            np.testing.assert_allclose(values[0], expected[layer], atol=1e-4)  # between processors


def test_positions_are_sines_and_cosines_of_the_band_then_of_the_step():
    table = sine_positions(steps=5, bands=8, width=16).numpy()
    for step in range(5):
        for band in range(8):
            row = []
            for position in (band, step):
                angles = [position * 10000 ** (-k / 4) for k in range(4)]
                row += [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
            np.testing.assert_allclose(table[8 * step + band], row, atol=1e-6)


def test_the_table_of_the_file_wins_over_the_formula(tmp_path):
    """Trainers store it rounded to half precision; a file without it gets the exact one."""
    content = eat_fairseq_content()
    name = "modality_encoders.IMAGE.fixed_positional_encoder.positions"
    stored = content["model"][name]
    for path, expected in (
        (tmp_path / "with.pt", stored),
        (tmp_path / "without.pt", sine_positions(768, 8, 32)[None]),
    ):
        torch.save(content, path)
        assert torch.equal(read(path)[1]["fixed_positional_encoder.positions"], expected)
        content["model"].pop(name, None)
    assert not torch.equal(stored, sine_positions(40, 8, 32)[None])


@pytest.mark.parametrize(("layout", "eps"), [("hugging face", 1e-5), ("fairseq", 1e-6)])
def test_probabilities_are_the_sigmoid_of_the_head_on_the_normalised_class_token(tmp_path, layout, eps):
    if layout == "fairseq":
        path = fairseq(tmp_path / "tuned.pt", tuned=True)
    else:
        path = eat_hugging_face(tmp_path, tuned=True)
    w = {name: value.double().numpy() for name, value in eat_tensors().items()}
    token = eat(path, tokens="class").frames(clips(2))[:, 0, 0].astype(np.float64)
    token = (token - token.mean(1, keepdims=True)) / np.sqrt(token.var(1, keepdims=True) + eps)
    logits = (token * w["fc_norm.weight"] + w["fc_norm.bias"]) @ w["head.weight"].T + w["head.bias"]
    np.testing.assert_allclose(eat(path).probabilities(clips(2)), 1 / (1 + np.exp(-logits)), atol=1e-6)
    assert read(path)[0].head_eps == eps


# --- picture and length ---


def test_picture_is_the_filter_bank_of_the_centred_clip_then_padding_that_is_not_silence(checkpoint):
    wave = torch.from_numpy(clips(1, 16000))  # 98 frames
    picture = eat(checkpoint).picture(wave + 0.25)
    bank = _kaldi.fbank(wave - wave.mean(), window="hanning")
    np.testing.assert_allclose(picture[:, :98], (bank + 4.268) / 9.138, atol=1e-3)  # 0.25 costs digits
    assert picture.shape == (1, 112, 128)
    np.testing.assert_allclose(picture[:, 98:], SILENCE_OF_PADDING, atol=1e-6)


@pytest.mark.parametrize(
    ("target", "samples", "rows"),
    [("next16", 400, 16), ("next16", 2800, 16), ("next16", 2960, 32), (64, 400, 64), (64, 40000, 64)],
)
def test_pictures_are_padded_or_cut_to_the_target_length(checkpoint, target, samples, rows):
    encoder = eat(checkpoint, target_length=target)
    assert encoder.picture(torch.from_numpy(clips(1, samples))).shape == (1, rows, 128)
    assert encoder.output_shape("last", samples) == (rows // 16, 8, 32)
    assert encoder.frames(clips(1, samples)).shape == (1, rows // 16, 8, 32)


def test_padding_takes_part_in_attention_so_the_length_is_part_of_the_definition(checkpoint):
    short, long = (eat(checkpoint, target_length=rows).frames(clips(1)) for rows in (64, 128))
    assert np.abs(short - long[:, :4]).max() > 1e-3


@pytest.mark.parametrize("target", [100, 8, 0, "1024", "longest"])
def test_a_length_that_is_no_multiple_of_16_is_refused(target):
    with pytest.raises(ConfigError, match="target_length"):
        build({"name": "eat", "target_length": target})


def test_a_target_beyond_the_position_table_is_refused(checkpoint):
    with pytest.raises(ConfigError, match=r"656 is not possible.*640 frames"):
        eat(checkpoint, target_length=656).frames(clips(1))


def test_a_clip_longer_than_the_position_table_is_an_error_with_both_lengths(checkpoint):
    limit = 400 + 639 * 160
    assert eat(checkpoint).frames(clips(1, limit)).shape == (1, 40, 8, 32)
    with pytest.raises(DataError, match=r"6\.42 s long, but its positions end at 6\.40 s"):
        eat(checkpoint).frames(clips(1, limit + 160))


def test_steps_are_seen_where_their_sound_is(checkpoint):
    times = eat(checkpoint).frame_times(16000)  # 98 frames: six columns of 16, and two frames of a seventh
    np.testing.assert_allclose(times, [*(0.0875 + 0.16 * np.arange(6)), 0.96 + (0.025 + 0.01) / 2])
    padded = eat(checkpoint, target_length=144).frame_times(16000)
    np.testing.assert_allclose(padded[:7], times)
    assert (np.diff(padded) > 0).all() and padded[7] > 1.0


@pytest.mark.parametrize("tokens", ["class", "joined"])
def test_single_frames_are_in_the_middle(checkpoint, tokens):
    encoder = eat(checkpoint, tokens=tokens)
    assert encoder.frame_times(16000).tolist() == [0.5]
    assert encoder.frames(clips(2)).shape == (2, *encoder.output_shape("last", 9000))


def test_joined_is_the_class_token_and_each_bands_mean(checkpoint):
    joined, first, patches = (
        eat(checkpoint, tokens=tokens).frames(clips(2)) for tokens in ("joined", "class", "patches")
    )
    assert joined.shape == (2, 1, 9, 32)
    assert np.array_equal(joined[:, 0, 0], first[:, 0, 0])
    np.testing.assert_allclose(joined[:, 0, 1:], patches.mean(axis=1), atol=1e-6)


# --- batches, precision ---


def test_a_clips_bits_depend_on_nothing_else(checkpoint):
    encoder = eat(checkpoint)
    separate = [sound(length, length) for length in (9000, 16000, 9000)]
    alone = [encoder.frames(clip[None])[0] for clip in separate]
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            together = encoder.frames(separate)
            assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("precision", "error"), [("bfloat16", 0.06), ("float16", 0.008)])
def test_short_precision_is_close(checkpoint, precision, error):
    exact, short = (eat(checkpoint, precision=one).frames(clips(2)) for one in ("float32", precision))
    assert 1e-5 < np.linalg.norm(short - exact) / np.linalg.norm(exact) < error


# --- files ---


def test_every_layout_gives_the_same_bits(tmp_path, checkpoint, tuned):
    expected = eat(checkpoint).frames(clips(1))
    for path in (tuned, fairseq(tmp_path / "pre.pt"), fairseq(tmp_path / "tuned.pt", tuned=True)):
        assert np.array_equal(eat(path).frames(clips(1)), expected)


def test_sslam_is_the_same_network(checkpoint):
    sslam = build({"name": "sslam", "checkpoint": str(checkpoint), "unverified": True})
    assert np.array_equal(sslam.frames(clips(1)), eat(checkpoint).frames(clips(1)))
    assert build({"name": "sslam"}).checkpoint != build({"name": "eat"}).checkpoint


def test_the_student_is_used_and_not_the_teacher(tmp_path):
    content = eat_fairseq_content()
    before = eat(fairseq(tmp_path / "both.pt")).frames(clips(1))
    teacher = content["model"]["_ema"]
    content["model"] |= teacher
    torch.save(content, tmp_path / "teacher.pt")
    assert np.abs(eat(tmp_path / "teacher.pt").frames(clips(1)) - before).max() > 0.1
    content = eat_fairseq_content()
    for tensor in content["model"]["_ema"].values():
        tensor.fill_(torch.nan)
    torch.save(content, tmp_path / "broken_teacher.pt")
    assert np.array_equal(eat(tmp_path / "broken_teacher.pt").frames(clips(1)), before)


def test_half_precision_tensors_are_computed_with_as_float32(tmp_path):
    path = eat_hugging_face(tmp_path)
    half = {f"model.{name}": value.half() for name, value in eat_tensors().items() if "head" not in name}
    half = {name: value for name, value in half.items() if "fc_norm" not in name}
    write_safetensors(path, half)
    frames = eat(path).frames(clips(1))
    write_safetensors(path, {name: value.float() for name, value in half.items()})
    assert np.array_equal(eat(path).frames(clips(1)), frames)


def test_labels_stand_in_the_order_of_their_classes(tmp_path, tuned):
    path = fairseq(tmp_path / "tuned.pt", tuned=True)
    assert eat(path).labels == ("/m/000", "/m/001", "/m/002", "/m/003", "/m/004")
    with pytest.raises(ConfigError, match="does not name its classes"):
        _ = eat(tuned).labels


def test_a_self_supervised_checkpoint_has_no_probabilities(checkpoint):
    with pytest.raises(ConfigError, match="no classes"):
        eat(checkpoint).probabilities(clips(1))


UNPUBLISHED = {
    "hugging face": [
        ("layer_norm_first", True),
        ("fixed_positions", False),
        ("in_chans", 2),
        ("mel_bins", 64),
        ("qkv_bias", False),
        ("stride", 10),
        ("model_variant", "distill"),
        ("depth", "2"),
        ("num_heads", 5),
    ],
    "fairseq": [
        ("layer_norm_first", True),
        ("use_alibi_encoder", True),
        ("prenet_depth", 2),
        ("fixed_positions", False),
        ("num_extra_tokens", 0),
        ("in_chans", 2),
        ("_name", "wav2vec2"),
        ("depth", 0),
    ],
}


@pytest.mark.parametrize(
    ("layout", "key", "value"), [(layout, *pair) for layout, pairs in UNPUBLISHED.items() for pair in pairs]
)
def test_variants_that_nobody_published_are_refused_by_name(tmp_path, layout, key, value):
    if layout == "fairseq":
        path = fairseq(tmp_path / "odd.pt", **{key: value})
    else:
        path = eat_hugging_face(tmp_path, **{key: value})
    with pytest.raises(FetchError, match=re.escape(repr(value))) as caught:
        eat(path).frames(clips(1))
    assert key in str(caught.value) or key in ("_name", "num_heads")


def test_a_patch_width_other_than_the_encoders_is_refused(tmp_path):
    content = eat_fairseq_content()
    content["cfg"]["model"]["modalities"]["image"]["embed_dim"] = 16
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(FetchError, match="embed_dim = 16, expected 32"):
        eat(tmp_path / "odd.pt").frames(clips(1))


@pytest.mark.parametrize(("key", "value"), [("use_fc_norm", False), ("prediction_mode", "MEAN_POOLING")])
def test_other_heads_are_refused(tmp_path, key, value):
    content = eat_fairseq_content(tuned=True)
    content["cfg"]["model"][key] = value
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(FetchError, match=key):
        eat(tmp_path / "odd.pt").frames(clips(1))


def test_all_missing_and_unexpected_tensors_are_listed_in_one_error(tmp_path):
    content = eat_fairseq_content()
    model = content["model"]
    del model["modality_encoders.IMAGE.context_encoder.norm.bias"], model["blocks.1.mlp.fc1.weight"]
    model["blocks.2.mlp.fc1.weight"] = model["something"] = torch.zeros(3)
    model["blocks.0.norm1.bias"] = torch.zeros(7)
    torch.save(content, tmp_path / "wrong.pt")
    with pytest.raises(FetchError) as caught:
        eat(tmp_path / "wrong.pt").frames(clips(1))
    for part in (
        "wrong.pt",
        "missing: 2 (pre_norm.bias, blocks.1.mlp.fc1.weight)",
        "unexpected: 2 (blocks.2.mlp.fc1.weight, something)",
        "blocks.0.norm1.bias is 7 instead of 32",
    ):
        assert part in str(caught.value)


def test_without_its_config_a_published_size_is_read_from_the_shapes(tmp_path):
    """Heads have 64 channels in every published model."""
    config = EatConfig(width=128, depth=2, heads=2, hidden=512, steps=10, classes=5)
    path = eat_hugging_face(tmp_path, config=config)
    expected = eat(path).frames(clips(1))
    (tmp_path / "config.json").unlink()
    assert np.array_equal(eat(path).frames(clips(1)), expected)


def test_without_its_config_another_size_is_refused(tmp_path):
    path = eat_hugging_face(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(FetchError, match=r"no config\.json beside it"):
        eat(path).frames(clips(1))


def test_a_config_under_the_name_of_the_weights_belongs_to_them(tmp_path):
    path = eat_hugging_face(tmp_path).rename(tmp_path / "EAT-tiny.safetensors")
    (tmp_path / "config.json").rename(tmp_path / "EAT-tiny_config.json")
    assert eat(path).frames(clips(1)).shape == (1, 4, 8, 32)


def test_the_config_beside_the_weights_is_an_input_of_the_frames(tmp_path):
    path = eat_hugging_face(tmp_path)
    assert eat(path).weight_files() == [str(path), str(tmp_path / "config.json")]
    (tmp_path / "config.json").unlink()
    assert eat(path).weight_files() == [str(path)]


def test_damaged_files_are_named(tmp_path, checkpoint):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(checkpoint.read_bytes()[:3000])
    other = tmp_path / "other.pt"
    torch.save({"state_dict": {}}, other)
    for path in (cut, other):
        with pytest.raises(FetchError, match=path.name):
            eat(path).frames(clips(1))
    path = eat_hugging_face(tmp_path / "whole")
    path.with_name("config.json").write_text(json.dumps({"embed_dim": 32})[:-3])
    with pytest.raises(FetchError, match=r"config\.json: is not JSON"):
        eat(path).frames(clips(1))


def test_the_published_layout_has_the_published_size():
    """shared/docs/eat.md: 359,905,840 bytes with its header; large has 308,867,072 parameters."""

    def parameters(config):
        return sum(math.prod(shape) for shape in config.tensors().values())

    header = 359_905_840 - 4 * parameters(EatConfig())
    assert 0 < header < 40_000
    assert parameters(EatConfig(width=1024, depth=24, heads=16, hidden=4096)) == 308_867_072
    assert parameters(EatConfig(classes=527)) == 90_379_535
