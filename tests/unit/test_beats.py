"""BEATs against a slow computation from its formulas, and the promises of its files and batches."""

import json
import math
import re

import numpy as np
import pytest
import torch

from asdflow.encoders import _kaldi
from asdflow.encoders.beats.attention import fused, head_by_head
from asdflow.encoders.beats.config import BeatsConfig
from asdflow.encoders.beats.network import BeatsNetwork
from asdflow.encoders.beats.positions import PositionalConvolution, bucket
from asdflow.foundation.errors import ConfigError, DataError, FetchError
from asdflow.pipeline.build import encoder as build
from tiny_encoders import beats_checkpoint, beats_content, sound

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return beats_checkpoint(tmp_path_factory.mktemp("beats") / "tiny.pt")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    return beats_checkpoint(tmp_path_factory.mktemp("beats") / "tuned.pt", finetuned_model=True)


def beats(path, **parameters):
    return build({"name": "beats", "checkpoint": str(path), "unverified": True} | parameters)


def clips(count: int, samples: int = 9000) -> np.ndarray:
    return np.stack([sound(samples, "beats", index) for index in range(count)])


# --- the numbers ---


def slow_layers(cfg, model, image):
    """Tokens of all layers in float64, with a loop wherever the page has an index. image (frames, 128)."""
    w = {name: tensor.double().numpy() for name, tensor in model.items()}

    def linear(name, x):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(name, x):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def gelu(x):
        return x * np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))))(x)

    def bucket_of(offset):
        half = cfg["num_buckets"] // 2
        base, n, exact = (half if offset > 0 else 0), abs(offset), half // 2
        if n < exact:
            return base + n
        grown = math.floor(math.log(n / exact) / math.log(cfg["max_distance"] / exact) * (half - exact))
        return base + min(half - 1, exact + grown)

    patches = [
        np.tensordot(w["patch_embedding.weight"][:, 0], image[16 * t : 16 * t + 16, 16 * f : 16 * f + 16], 2)
        for t in range(len(image) // 16)
        for f in range(8)
    ]
    x = np.stack(patches) + w.get("patch_embedding.bias", 0.0)
    x = norm("layer_norm", x)
    if "post_extract_proj.weight" in w:
        x = linear("post_extract_proj", x)
    tokens, width = x.shape
    v, g = w["encoder.pos_conv.0.weight_v"], w["encoder.pos_conv.0.weight_g"]
    kernel = g * v / np.sqrt((v**2).sum(axis=(0, 1), keepdims=True))
    inner = width // cfg["conv_pos_groups"]
    moved = np.tile(w["encoder.pos_conv.0.bias"], (tokens, 1))
    for t in range(tokens):
        for k in range(cfg["conv_pos"]):
            source = t + k - cfg["conv_pos"] // 2
            if 0 <= source < tokens:
                for out in range(width):
                    group = out // inner
                    moved[t, out] += kernel[out, :, k] @ x[source, group * inner : (group + 1) * inner]
    x = x + gelu(moved)
    first = cfg["layer_norm_first"]
    if not first:
        x = norm("encoder.layer_norm", x)
    layers = [x]
    heads, alpha = cfg["encoder_attention_heads"], (2 * cfg["encoder_layers"]) ** 0.25
    alpha = alpha if cfg["deep_norm"] else 1.0
    head_dim = width // heads

    def attention(name, x):
        q, k, v = (linear(f"{name}.{part}_proj", x) for part in "qkv")
        out = np.zeros_like(x)
        for h in range(heads):
            columns = slice(h * head_dim, (h + 1) * head_dim)
            logits = q[:, columns] @ k[:, columns].T / math.sqrt(head_dim)
            if cfg["relative_position_embedding"]:
                table = w["encoder.layers.0.self_attn.relative_attention_bias.weight"]
                for i in range(tokens):
                    gate = 1.0
                    if cfg["gru_rel_pos"]:
                        eight = linear(f"{name}.grep_linear", q[i, columns])
                        a, c = (1 / (1 + np.exp(-part.sum())) for part in (eight[:4], eight[4:]))
                        gate = a * (c * w[f"{name}.grep_a"][0, h, 0, 0] - 1) + 2
                    for j in range(tokens):
                        logits[i, j] += gate * table[bucket_of(j - i), h]
            shares = np.exp(logits - logits.max(axis=1, keepdims=True))
            out[:, columns] = shares / shares.sum(axis=1, keepdims=True) @ v[:, columns]
        return linear(f"{name}.out_proj", out)

    for number in range(cfg["encoder_layers"]):
        name = f"encoder.layers.{number}"

        def feed(x, name=name):
            return linear(f"{name}.fc2", gelu(linear(f"{name}.fc1", x)))

        if first:
            x = x + attention(f"{name}.self_attn", norm(f"{name}.self_attn_layer_norm", x))
            x = x + feed(norm(f"{name}.final_layer_norm", x))
        else:
            x = norm(f"{name}.self_attn_layer_norm", alpha * x + attention(f"{name}.self_attn", x))
            x = norm(f"{name}.final_layer_norm", alpha * x + feed(x))
        if first and number == cfg["encoder_layers"] - 1:
            x = norm("encoder.layer_norm", x)
        layers.append(x)
    return layers


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"layer_norm_first": True, "deep_norm": False},
        {"deep_norm": False, "gru_rel_pos": False},
        {"relative_position_embedding": False, "gru_rel_pos": False},
        {"conv_bias": True, "embed_dim": 32, "conv_pos": 15, "num_buckets": 16, "max_distance": 20},
    ],
    ids=["published", "norm first", "no gate", "no positions", "other sizes"],
)
def test_every_layer_is_what_the_formulas_give(changes):
    content = beats_content(**changes)
    picture = np.random.default_rng(0).standard_normal((50, 128))
    expected = slow_layers(content["cfg"], content["model"], picture)
    network = BeatsNetwork(BeatsConfig.read("tiny", content["cfg"]), content["model"], CPU)
    layers = network.layers(torch.from_numpy(picture[None]).float(), {0, 1, 2})
    for number, tokens in enumerate(expected):
        np.testing.assert_allclose(layers[number][0].numpy(), tokens, atol=1e-5)


def test_float32_agrees_with_float64(checkpoint):
    content = torch.load(checkpoint, weights_only=True)
    config = BeatsConfig.read("tiny", content["cfg"])
    wave = torch.from_numpy(clips(2, 24000))
    results = []
    for dtype in (torch.float32, torch.float64):
        network = BeatsNetwork(config, content["model"], CPU, dtype)
        picture = (_kaldi.fbank(wave.to(dtype) * 2**15) - 15.41663) / (2 * 6.55582)
        results.append(network.layers(picture, {2})[2].double())
    assert (results[0] - results[1]).abs().max() < 1e-4


def test_numbers_of_the_day_it_agreed_with_the_reference(checkpoint, root):
    """Vectors of our own; the reference's own are in tests/parity."""
    wave = clips(1, 16000)
    frames = beats(checkpoint, layers=["layer0", "layer1", "last"]).layer_frames(wave)
    with np.load(root / "tests/data/beats_tiny.npz") as expected:
        assert sorted(expected) == sorted(frames)
        for layer, values in frames.items():
            np.testing.assert_allclose(values[0], expected[layer], atol=1e-4)  # between processors


def test_the_positional_convolution_is_a_grouped_convolution():
    rng = torch.Generator().manual_seed(0)
    for kernel, groups, tokens in ((16, 4, 10), (15, 2, 33), (128, 1, 200)):
        weight = torch.randn(8, 8 // groups, kernel, generator=rng)
        bias, x = torch.randn(8, generator=rng), torch.randn(3, tokens, 8, generator=rng)
        plain = torch.nn.functional.conv1d(
            x.double().transpose(1, 2), weight.double(), bias.double(), padding=kernel // 2, groups=groups
        )
        ours = PositionalConvolution(weight, bias, groups)(x)
        np.testing.assert_allclose(ours.numpy(), plain[..., :tokens].transpose(1, 2).numpy(), atol=3e-5)


def test_buckets_of_small_distances_are_exact_and_of_large_ones_shared():
    offsets = torch.tensor([-5000, -800, -81, -80, -79, -1, 0, 1, 79, 80, 799, 5000])
    buckets = bucket(offsets, 320, 800).tolist()
    assert buckets[4:9] == [79, 1, 0, 161, 239]
    assert buckets[3] == 80 and buckets[9] == 240  # first of the shared ones
    assert buckets[0] == buckets[1] == 159 and buckets[-1] == 319


def test_probabilities_are_the_sigmoid_of_the_mean_of_the_logits(tuned):
    encoder = beats(tuned)
    wave = clips(2)
    model = torch.load(tuned, weights_only=True)["model"]
    tokens = encoder.frames(wave).reshape(2, -1, 32)
    logits = tokens @ model["predictor.weight"].numpy().T + model["predictor.bias"].numpy()
    expected = 1 / (1 + np.exp(-logits.mean(axis=1)))
    np.testing.assert_allclose(encoder.probabilities(wave), expected, atol=1e-6)
    assert encoder.labels == ("/m/000", "/m/001", "/m/002", "/m/003", "/m/004")


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("with_gate", [True, False])
def test_attention_is_the_weighted_mean_of_values_in_both_ways(with_bias, with_gate):
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((2, 3, 7, 5)).astype(np.float32) for _ in range(3))
    bias = rng.standard_normal((3, 7, 7)).astype(np.float32) if with_bias else None
    gate = rng.random((2, 3, 7, 1)).astype(np.float32) if with_gate else None
    expected = np.zeros((2, 7, 15))
    for clip, head, i in np.ndindex(2, 3, 7):
        logits = [float(q[clip, head, i] @ k[clip, head, j]) for j in range(7)]
        if with_bias:
            factor = gate[clip, head, i, 0] if with_gate else 1.0
            logits = [logit + factor * bias[head, i, j] for j, logit in enumerate(logits)]
        shares = np.exp(logits) / np.exp(logits).sum()
        expected[clip, i, 5 * head : 5 * head + 5] = shares @ v[clip, head]
    tensors = [None if part is None else torch.from_numpy(part) for part in (q, k, v, bias, gate)]
    for attend in (head_by_head, fused):
        np.testing.assert_allclose(attend(*tensors), expected, atol=1e-5)


# --- batches, threads, precision ---


def test_a_clips_bits_depend_on_nothing_else(checkpoint):
    """Neither on the clips beside it, nor on padding, nor on the number of threads."""
    encoder = beats(checkpoint)
    lengths = [9000, 24000, 9000, 16000]
    separate = [clips(4, length)[index] for index, length in enumerate(lengths)]
    alone = [encoder.frames(clip[None])[0] for clip in separate]
    padded = np.zeros((4, 24000), np.float32)
    for row, clip in enumerate(separate):
        padded[row, : len(clip)] = clip
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            for batch in (encoder.frames(separate), encoder.frames(padded, lengths)):
                assert all(np.array_equal(one, other) for one, other in zip(alone, batch, strict=True))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    whole = encoder.frames(clips(5))
    assert all(np.array_equal(whole[row], encoder.frames(clips(5)[row : row + 1])[0]) for row in range(5))


def test_torch_clips_of_unequal_length_come_back_as_torch(checkpoint):
    separate = [torch.from_numpy(sound(length, length)) for length in (9000, 12000)]
    frames = beats(checkpoint).frames(separate)
    assert [tuple(one.shape) for one in frames] == [(3, 8, 32), (4, 8, 32)]
    assert all(isinstance(one, torch.Tensor) for one in frames)


def test_lengths_that_do_not_fit_are_named(checkpoint):
    for lengths in ([9000], [9000, 9001], [0, 9000]):
        with pytest.raises(DataError, match=re.escape(str(lengths))):
            beats(checkpoint).frames(clips(2), lengths)


def test_a_list_of_anything_but_waveforms_is_named_by_its_place(checkpoint):
    with pytest.raises(DataError, match=r"clip 1 of the list: has shape \(1, 9000\)"):
        beats(checkpoint).frames([clips(1)[0], clips(1)])


@pytest.mark.parametrize(("precision", "error"), [("bfloat16", 0.06), ("float16", 0.008)])
def test_short_precision_is_close(checkpoint, precision, error):
    exact, short = (
        beats(checkpoint, precision=one).frames(clips(2, 16000)) for one in ("float32", precision)
    )
    assert short.dtype == np.float32
    relative = np.linalg.norm(short - exact) / np.linalg.norm(exact)
    assert 1e-5 < relative < error


def test_layers_of_one_pass_are_those_of_separate_passes(checkpoint):
    together = beats(checkpoint, layers=["layer0", 1, "2", "last"]).layer_frames(clips(1))
    assert list(together) == ["layer0", "layer1", "layer2", "last"]
    for layer, frames in together.items():
        assert np.array_equal(frames, beats(checkpoint, layers=[layer]).frames(clips(1)))
    assert np.array_equal(together["layer2"], together["last"])


# --- shapes ---


def test_a_step_is_160_ms_and_seen_where_its_samples_are(checkpoint):
    encoder = beats(checkpoint)
    assert encoder.min_samples == 2800
    assert encoder.output_shape("last", 160000) == (62, 8, 32)
    times = encoder.frame_times(160000)
    assert len(times) == 62
    np.testing.assert_allclose(times[:3], [0.0875, 0.2475, 0.4075])


def test_a_burst_moves_the_step_where_it_lies(checkpoint):
    encoder = beats(checkpoint, layers=["layer0"])
    quiet = sound(32000, "quiet")
    for at in (5000, 16000, 27000):
        loud = quiet.copy()
        loud[at - 200 : at + 200] += 0.5 * np.sin(np.arange(400))
        change = np.abs(encoder.frames(loud[None]) - encoder.frames(quiet[None]))[0].max(axis=(1, 2))
        assert abs(encoder.frame_times(32000)[change.argmax()] - at / 16000) <= 0.161


# --- parameters and files ---


@pytest.mark.parametrize("layer", ["first", "layer", "-1", -1, "layer1.5", True, ""])
def test_other_names_of_layers_are_refused(layer):
    with pytest.raises(ConfigError, match="layers"):
        build({"name": "beats", "layers": [layer]})


def test_a_layer_under_two_names_is_refused():
    with pytest.raises(ConfigError, match="'layer1' more than once"):
        build({"name": "beats", "layers": [1, "layer1"]})


def test_a_layer_beyond_the_network_names_those_there_are(checkpoint):
    with pytest.raises(ConfigError, match=r"'layer3' is not known.*layer0, layer1, layer2, last"):
        beats(checkpoint, layers=["layer3"]).frames(clips(1))


def test_a_file_of_unknown_hash_needs_to_be_asked_for(checkpoint):
    with pytest.raises(FetchError, match="unverified"):
        beats(checkpoint, unverified=False).frames(clips(1))


def test_all_missing_and_unexpected_tensors_are_listed_in_one_error(tmp_path):
    content = beats_content()
    model = content["model"]
    del model["layer_norm.bias"], model["encoder.layers.1.fc1.weight"]
    model["encoder.layers.2.fc1.weight"] = model["something"] = torch.zeros(3)
    model["post_extract_proj.bias"] = torch.zeros(7)
    torch.save(content, tmp_path / "wrong.pt")
    with pytest.raises(FetchError) as caught:
        beats(tmp_path / "wrong.pt").frames(clips(1))
    for part in (
        "wrong.pt",
        "missing: 2 (layer_norm.bias, encoder.layers.1.fc1.weight)",
        "unexpected: 2 (encoder.layers.2.fc1.weight, something)",
        "post_extract_proj.bias is 7 instead of 32",
    ):
        assert part in str(caught.value)


class Harmless:
    """Unpickling it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path):
    trap = tmp_path / "was_run"
    torch.save(beats_content() | {"extra": Harmless(trap)}, tmp_path / "code.pt")
    with pytest.raises(FetchError, match=r"code\.pt: holds more than tensors.*could run code"):
        beats(tmp_path / "code.pt").frames(clips(1))
    assert not trap.exists()


def test_damaged_and_other_files_are_named(tmp_path, checkpoint):
    cut = tmp_path / "cut.pt"
    cut.write_bytes(checkpoint.read_bytes()[:2000])
    other = tmp_path / "other.pt"
    torch.save({"state_dict": {}}, other)
    text = tmp_path / "text.pt"
    text.write_text(json.dumps({"cfg": {}}))
    for path in (cut, other, text):
        with pytest.raises(FetchError, match=path.name):
            beats(path).frames(clips(1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation_fn": "relu"}, "activation_fn = 'relu', expected 'gelu'"),
        ({"encoder_layers": 0}, "encoder_layers = 0"),
        ({"embed_dim": "24"}, "embed_dim = '24'"),
        ({"encoder_attention_heads": 5}, "a multiple of 5"),
        ({"input_patch_size": 12}, "a divisor of 128"),
        ({"num_buckets": 30}, "a multiple of 4"),
    ],
)
def test_sizes_that_cannot_be_are_refused(tmp_path, changes, message):
    content = beats_content()
    content["cfg"] |= changes
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(FetchError, match=re.escape(message)):
        beats(tmp_path / "odd.pt").frames(clips(1))


def test_blocks_with_tables_of_their_own_are_refused(tmp_path):
    content = beats_content()
    name = "encoder.layers.1.self_attn.relative_attention_bias.weight"
    content["model"][name] = content["model"][name] + 1
    torch.save(content, tmp_path / "tables.pt")
    with pytest.raises(FetchError, match="block 1 has another table"):
        beats(tmp_path / "tables.pt").frames(clips(1))


def test_absent_keys_have_the_published_defaults():
    config = BeatsConfig.read("tiny", {})
    assert (config.encoder_layers, config.encoder_embed_dim, config.max_distance) == (12, 768, 1280)
    assert not (config.deep_norm or config.relative_position_embedding or config.gru_rel_pos)


def test_a_self_supervised_checkpoint_has_no_probabilities(checkpoint):
    with pytest.raises(ConfigError, match="no classes"):
        beats(checkpoint).probabilities(clips(1))


def test_a_gpu_that_is_not_there_is_an_error(checkpoint, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"'cuda:3' is not available: 1 CUDA devices"):
        beats(checkpoint, device="cuda:3").frames(clips(1))
