"""The bridge to `transformers`: the library's own numbers, placed in time and frequency."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asdflow.foundation.errors import ConfigError, DataError, FetchError
from asdflow.pipeline.build import encoder as build
from tiny_encoders import sound
from tiny_huggingface import KINDS, model_folder, save_model

transformers = pytest.importorskip("transformers", reason="needs the extra `huggingface`")
torch = pytest.importorskip("torch")

RATE = 16000
SAMPLES = 17777  # more than a second, a multiple of no stride
ALL = ["layer0", "layer1", "layer2", "layer3", "last"]


def bridge(folder: Path, **options):
    return build({"name": "huggingface", "model": str(folder), "unverified": True} | options)


@pytest.fixture
def copy(tmp_path):
    """Copy of a tiny model that a test may change."""
    return lambda kind: Path(shutil.copytree(model_folder(kind), tmp_path / kind))


def clips(count: int, samples: int = SAMPLES) -> np.ndarray:
    return np.stack([sound(samples, number) for number in range(count)])


# -- the same numbers as the library -----------------------------------------------------------------------


def library_states(kind: str, waveform: np.ndarray) -> dict[str, np.ndarray]:
    """(tokens, width) of every layer, from the library's own loading, front end and forward pass."""
    _, computed, _, front_end, _ = KINDS[kind]
    folder = model_folder(kind)
    network = getattr(transformers, computed).from_pretrained(folder).eval()
    extractor = getattr(transformers, front_end).from_pretrained(folder)
    inputs = extractor(waveform, sampling_rate=RATE, return_tensors="pt")
    inputs = inputs[extractor.model_input_names[0]]
    part = network.encoder if kind == "whisper" else network
    with torch.no_grad():
        outputs = part(inputs, output_hidden_states=True)
    states = dict(zip(ALL, outputs.hidden_states, strict=False)) | {"last": outputs.last_hidden_state}
    if kind == "whisper":  # the library puts the normalised output in the place of the last block's
        with torch.no_grad():
            states["layer3"] = part.layers[-1](outputs.hidden_states[2], None)
    return {layer: state[0].numpy() for layer, state in states.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_is_what_the_library_computes(kind):
    waveform = sound(SAMPLES, "parity")
    expected = library_states(kind, waveform)
    found = bridge(model_folder(kind), layers=ALL).layer_frames(waveform[None])
    for layer, tokens in expected.items():
        frames = found[layer][0]
        steps, bands, _ = frames.shape
        for step in range(steps):
            for band in range(bands):
                # AST: two tokens without a place, then all steps of the lowest band, and so on.
                token = 2 + band * (len(tokens) - 2) // bands + step if kind == "ast" else step
                np.testing.assert_allclose(frames[step, band], tokens[token], atol=2e-6, rtol=1e-6)


def test_last_is_the_output_behind_the_final_norm_where_there_is_one():
    wave = sound(SAMPLES, 1)[None]
    for kind, normed in (("hubert", False), ("hubert_large", True), ("ast", True), ("whisper", True)):
        frames = bridge(model_folder(kind), layers=["layer3", "last"]).layer_frames(wave)
        assert np.array_equal(frames["layer3"], frames["last"]) != normed


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_behind_the_deepest_layer_are_left_out_without_a_trace(kind):
    wave = clips(1)
    whole = bridge(model_folder(kind), layers=ALL).layer_frames(wave)
    for layers in (["layer0"], [2, 1]):
        encoder = bridge(model_folder(kind), layers=layers)
        for layer, frames in encoder.layer_frames(wave).items():
            assert np.array_equal(frames, whole[layer])
        network = encoder._network
        blocks = network.layers if kind in ("ast", "whisper") else network.encoder.layers
        assert len(blocks) == max(1, len(layers))


# -- batches -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_gives_the_bits_of_its_clips_alone_on_any_number_of_threads(kind):
    encoder, waves = bridge(model_folder(kind), layers=["last", "layer1"]), clips(3)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        together = encoder.layer_frames(waves)
        torch.set_num_threads(1)
        for row in range(3):
            for layer, frames in encoder.layer_frames(waves[row : row + 1]).items():
                assert np.array_equal(together[layer][row], frames[0])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", KINDS)
def test_clips_of_unequal_length_have_the_frames_that_they_have_alone(kind):
    encoder = bridge(model_folder(kind))
    waves = [sound(samples, samples) for samples in (9000, 16000, 9000, 20000)]
    for wave, frames in zip(waves, encoder.frames(waves), strict=True):
        assert np.array_equal(frames, encoder.frames(wave[None])[0])
        assert frames.shape == encoder.output_shape("last", len(wave))


# -- time and frequency ------------------------------------------------------------------------------------


def seen_by(convolutions, length: int, step: int) -> np.ndarray:
    """Inputs that influence output `step` of a chain of convolutions with biases set to zero."""
    inputs = torch.zeros(1, convolutions[0].in_channels, length, requires_grad=True)
    outputs = inputs
    for convolution in convolutions:
        outputs = convolution(outputs)
    outputs[0, :, step].sum().backward()
    return np.flatnonzero(inputs.grad[0].abs().sum(0).numpy())


@pytest.mark.parametrize("kind", ["data2vec", "hubert", "wav2vec2", "wavlm"])
def test_times_of_waveform_networks_are_the_middle_of_the_samples_that_a_frame_sees(kind):
    encoder = bridge(model_folder(kind))
    network = getattr(transformers, KINDS[kind][1]).from_pretrained(model_folder(kind))
    convolutions = [layer.conv for layer in network.feature_extractor.conv_layers]
    times = encoder.frame_times(SAMPLES)
    for step in (0, 1, len(times) - 1):
        seen = seen_by(convolutions, SAMPLES, step)
        assert times[step] == pytest.approx((seen[0] + seen[-1] + 1) / 2 / RATE, abs=1e-12)
    lengths = torch.tensor([encoder.min_samples, 5000, SAMPLES])
    counted = network._get_feat_extract_output_lengths(lengths)
    assert [encoder.output_shape("last", int(n))[0] for n in lengths] == counted.tolist()


def test_times_of_whisper_are_the_centres_of_the_mel_frames_that_a_frame_is_centred_on():
    encoder = bridge(model_folder("whisper"))
    part = transformers.WhisperModel.from_pretrained(model_folder("whisper")).encoder
    times = encoder.frame_times(SAMPLES)
    for step in (1, 20):
        seen = seen_by([part.conv1, part.conv2], 200, step)
        # Mel frame i is centred on sample 160 i, since the front end pads by half a window.
        assert times[step] == pytest.approx((seen[0] + seen[-1]) / 2 * 160 / RATE, abs=1e-12)


def test_whisper_pads_to_its_window_and_leaves_out_the_frames_of_the_padding():
    encoder = bridge(model_folder("whisper"))
    wave = sound(SAMPLES, 3)[None]
    padded = np.pad(wave, ((0, 0), (0, 2 * RATE - SAMPLES)))
    frames, whole = encoder.frames(wave), encoder.frames(padded)
    assert frames.shape[1] == 56 and encoder.frame_times(SAMPLES)[-1] < SAMPLES / RATE  # 1.111 s / 20 ms
    assert whole.shape[1] == 100
    assert np.array_equal(frames, whole[:, :56])


def test_ast_keeps_the_patches_that_lie_wholly_in_the_clip():
    encoder = bridge(model_folder("ast"))
    frames = 1 + (SAMPLES - 400) // 160  # of 25 ms every 10 ms
    whole = [first for first in range(0, frames, 10) if first + 16 <= frames]
    times = encoder.frame_times(SAMPLES)
    assert encoder.frames(clips(1)).shape[1:] == (len(whole), 2, 32)
    middles = [(first * 160 + (first + 15) * 160 + 400) / 2 / RATE for first in whole]
    np.testing.assert_allclose(times, middles, rtol=1e-12)


def test_bands_of_ast_rise_in_frequency():
    # A network whose patches only measure level: the bias is 0, every weight is 1.
    encoder = bridge(model_folder("ast"), layers=["layer0"])
    embeddings = encoder._network.embeddings
    with torch.no_grad():
        for parameter in embeddings.parameters():
            parameter.zero_()
        embeddings.patch_embeddings.projection.weight.fill_(1.0)
    time = np.arange(SAMPLES) / RATE
    low, high = (
        encoder.frames((0.1 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)[None])[0].mean((0, 2))
        for frequency in (200, 2500)
    )
    assert low[0] > low[1] and high[1] > high[0]


@pytest.mark.parametrize(("kind", "window", "step"), [("whisper", 32000, 32000), ("ast", 20720, 20480)])
def test_a_clip_longer_than_the_network_takes_is_refused_or_split_as_asked(kind, window, step):
    folder, long = model_folder(kind), sound(2 * step + 9000, "long")
    refusing, splitting = bridge(folder), bridge(folder, long_clips="split")
    assert refusing.frames(long[None, :window]).shape[1] > 0
    with pytest.raises(DataError, match=f"at most {window / RATE:.4g} s.*long_clips: split"):
        refusing.frames(long[None])
    with pytest.raises(DataError, match="at most"):
        refusing.output_shape("last", window + 1)
    parts = [refusing.frames(long[None, start : start + window])[0] for start in (0, step, 2 * step)]
    assert np.array_equal(splitting.frames(long[None])[0], np.concatenate(parts))
    times = splitting.frame_times(len(long))
    assert len(times) == sum(map(len, parts))
    np.testing.assert_allclose(times[len(parts[0])], times[0] + step / RATE, rtol=1e-12)


def test_a_rest_too_short_for_a_frame_is_left_out_when_split():
    encoder = bridge(model_folder("ast"), long_clips="split")
    assert encoder.output_shape("last", 20720 + 1) == encoder.output_shape("last", 20720)


def test_the_front_end_decides_whether_a_clip_is_brought_to_variance_one():
    wave = clips(1)
    for kind, normalised in (("wav2vec2", True), ("hubert_large", True), ("wavlm", False)):
        encoder = bridge(model_folder(kind), layers=["layer0"])
        inputs = encoder._geometry.inputs(wave).numpy()
        expected = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7) if normalised else wave
        np.testing.assert_allclose(inputs, expected, atol=1e-6)


# -- files -------------------------------------------------------------------------------------------------


def save_bin(folder: Path, tensors: dict) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")


def tensors_of(folder: Path) -> dict:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def write_safetensors(folder: Path, tensors: dict) -> None:
    from safetensors.torch import save_file

    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_pickle_with_the_tensor_names_of_older_versions_gives_the_same_frames(copy):
    folder, wave = copy("hubert"), clips(1)
    old = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): value
        for name, value in tensors_of(folder).items()
    }
    assert any(name.endswith("weight_g") for name in old)
    save_bin(folder, old)
    assert np.array_equal(bridge(folder).frames(wave), bridge(model_folder("hubert")).frames(wave))


def test_weights_split_over_files_give_the_same_frames(tmp_path):
    folder, wave = save_model("hubert", tmp_path / "split", max_shard_size="30KB"), clips(1)
    parts = sorted(path.name for path in folder.glob("model-*.safetensors"))
    assert len(parts) > 1
    assert np.array_equal(bridge(folder).frames(wave), bridge(model_folder("hubert")).frames(wave))
    assert {Path(file).name for file in bridge(folder).weight_files()} >= {*parts, "config.json"}
    (folder / parts[1]).unlink()
    with pytest.raises(FetchError, match=f"{parts[1]}: is missing"):
        bridge(folder).frames(wave)


def test_an_index_cannot_lead_out_of_the_folder(copy):
    folder = copy("hubert")
    (folder / "model.safetensors").rename(folder.parent / "elsewhere.safetensors")
    index = {"weight_map": {"a": "../elsewhere.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(FetchError, match="another folder"):
        bridge(folder).frames(clips(1))


def test_weights_stored_in_half_precision_are_computed_in_single(copy):
    folder = copy("hubert")
    rounded = {name: value.half() for name, value in tensors_of(folder).items()}
    write_safetensors(folder, rounded)
    found = bridge(folder).frames(clips(1))
    write_safetensors(folder, {name: value.float() for name, value in rounded.items()})
    assert np.array_equal(found, bridge(folder).frames(clips(1)))


def test_a_front_end_in_the_newer_file_is_read(copy):
    folder = copy("wav2vec2")
    options = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text(json.dumps({"feature_extractor": options}))
    expected = bridge(model_folder("wav2vec2")).frames(clips(1))
    assert np.array_equal(bridge(folder).frames(clips(1)), expected)


OLDER = {"torch_dtype": "float32", "transformers_version": "4.10.0", "gradient_checkpointing": False}
OLDER_CONFIGURATIONS = {
    "hubert": OLDER | {"feat_extract_dropout": 0.0, "mask_channel_length": 10, "ctc_zero_infinity": False},
    "wav2vec2": OLDER | {"freeze_feat_extract_train": True, "no_mask_channel_overlap": False},
    "ast": OLDER | {"id2label": {"0": "Speech", "1": "Music", "2": "Hum"}},
    "whisper": OLDER | {"max_length": 448, "suppress_tokens": [1, 2], "forced_decoder_ids": [[1, 50259]]},
}


@pytest.mark.parametrize("kind", OLDER_CONFIGURATIONS)
def test_what_older_versions_wrote_into_configurations_changes_nothing(copy, kind):
    path = copy(kind) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | OLDER_CONFIGURATIONS[kind]))
    found = bridge(path.parent).frames(clips(1))
    assert np.array_equal(found, bridge(model_folder(kind)).frames(clips(1)))


def test_all_missing_unexpected_and_misshapen_tensors_are_listed_at_once(copy):
    folder = copy("hubert")
    tensors = tensors_of(folder)
    del tensors["hubert.encoder.layers.1.attention.k_proj.bias"]
    tensors["hubert.encoder.layers.9.attention.k_proj.bias"] = torch.zeros(2)
    tensors["hubert.encoder.layers.0.attention.k_proj.bias"] = torch.zeros(5)
    write_safetensors(folder, tensors)
    with pytest.raises(FetchError) as caught:
        bridge(folder).frames(clips(1))
    message = str(caught.value)
    assert "missing: 1 (encoder.layers.1.attention.k_proj.bias)" in message
    assert "unexpected: 1 (hubert.encoder.layers.9.attention.k_proj.bias)" in message
    assert "wrong shape: 1 (encoder.layers.0.attention.k_proj.bias is (5,) instead of (32,))" in message
    assert "lm_head" not in message


def test_a_configuration_with_fewer_blocks_than_the_file_is_refused(copy):
    folder = copy("whisper")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"encoder_layers": 2}))
    with pytest.raises(FetchError, match=r"unexpected: \d+ \(layers\.2\."):
        bridge(folder).frames(clips(1))


class Harmless:
    """Would create a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_with_code_is_refused_and_the_code_does_not_run(copy, tmp_path):
    folder, trace = copy("hubert"), tmp_path / "ran"
    save_bin(folder, {"hubert.encoder.layer_norm.weight": Harmless(trace)})
    with pytest.raises(FetchError, match="could run code"):
        bridge(folder).frames(clips(1))
    assert not trace.exists()


def test_python_files_beside_the_weights_are_never_run(copy, tmp_path):
    folder, trace = copy("hubert"), tmp_path / "ran"
    (folder / "modeling_own.py").write_text(f"open({str(trace)!r}, 'w')\nclass Own: pass\n")
    path = folder / "config.json"
    options = json.loads(path.read_text()) | {"auto_map": {"AutoModel": "modeling_own.Own"}}
    path.write_text(json.dumps(options))
    assert np.array_equal(bridge(folder).frames(clips(1)), bridge(model_folder("hubert")).frames(clips(1)))
    path.write_text(json.dumps(options | {"model_type": "own"}))
    with pytest.raises(FetchError, match=r"model_type 'own'.*Known: audio-spectrogram-transformer, "):
        bridge(folder).frames(clips(1))
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", None, r"config\.json: is missing"),
        ("config.json", "{", r"config\.json: is no JSON"),
        ("config.json", "[]", "holds a list"),
        ("config.json", {"hidden_size": "wide"}, "is no configuration of HubertConfig.*hidden_size"),
        ("config.json", {"model_type": "bert"}, "model_type 'bert', which this encoder does not know"),
        ("preprocessor_config.json", None, r"preprocessor_config\.json: is missing"),
        ("model.safetensors", None, r"holds no weights.*pytorch_model\.bin"),
        ("model.safetensors", "weights", "is not a readable safetensors file"),
    ],
)
def test_a_file_that_is_missing_or_broken_is_named(copy, name, content, message):
    path = copy("hubert") / name
    if isinstance(content, dict):
        content = json.dumps(json.loads(path.read_text()) | content)
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(FetchError, match=message):
        bridge(path.parent).frames(clips(1))


@pytest.mark.parametrize(
    ("kind", "file", "change", "message"),
    [
        ("ast", "preprocessor_config.json", {"max_length": 64}, "max_length of the front end is 64"),
        ("ast", "preprocessor_config.json", {"num_mel_bins": 64}, "num_mel_bins of the front end is 64"),
        ("whisper", "preprocessor_config.json", {"dither": 0.1}, "dither of the front end is 0.1"),
        ("whisper", "preprocessor_config.json", {"chunk_length": 3}, "number of frames.* is 150"),
        (
            "hubert",
            "preprocessor_config.json",
            {"feature_extractor_type": "WhisperFeatureExtractor"},
            "is of a WhisperFeatureExtractor, but the network was trained behind a Wav2Vec2",
        ),
        ("wav2vec2", "config.json", {"add_adapter": True}, "add_adapter.* is True, expected False"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(copy, kind, file, change, message):
    path = copy(kind) / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FetchError, match=message):
        bridge(path.parent).output_shape("last", SAMPLES)


def test_a_missing_folder_is_explained(tmp_path):
    with pytest.raises(FetchError, match=r"is not a folder.*give the commit as `revision`"):
        bridge(tmp_path / "none").frames(clips(1))


def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    encoder = bridge(model_folder("hubert"))  # a study with it can be read all the same
    with pytest.raises(ConfigError, match=r"transformers, which is not installed.*\[huggingface\]"):
        encoder.frames(clips(1))


def test_building_reads_no_files_and_imports_neither_torch_nor_the_library(tmp_path):
    code = (
        "import sys; from asdflow.pipeline.build import encoder; "
        f"encoder({{'name': 'huggingface', 'model': {str(tmp_path / 'none')!r}}}); "
        "print(sorted({'torch', 'transformers', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_layer_beyond_the_last_block_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"'layer4' is not known.*layer3, last"):
        bridge(model_folder("hubert"), layers=[4]).frames(clips(1))


# -- what vouches for the files ----------------------------------------------------------------------------


def sha256sum(folder: Path) -> str:
    """What `sha256sum config.json model.safetensors preprocessor_config.json | sha256sum` prints."""
    names = ("config.json", "model.safetensors", "preprocessor_config.json")
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_a_folder_needs_its_fingerprint_or_the_option_unverified(copy):
    folder, wave = copy("hubert"), clips(1)
    fingerprint = sha256sum(folder)
    plain = {"name": "huggingface", "model": str(folder)}
    with pytest.raises(FetchError, match=f"sha256: {fingerprint}.*unverified: true"):
        build(plain).frames(wave)
    expected = build(plain | {"unverified": True}).frames(wave)
    assert np.array_equal(build(plain | {"sha256": fingerprint}).frames(wave), expected)
    (folder / "notes.txt").write_text("not read, so it does not matter")
    assert build(plain | {"sha256": fingerprint}).sample_rate == RATE


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "preprocessor_config.json"])
def test_another_byte_in_any_file_is_refused_by_the_fingerprint_whatever_the_option_says(copy, name):
    folder = copy("hubert")
    fingerprint = sha256sum(folder)
    with open(folder / name, "ab") as file:
        file.write(b" ")
    for unverified in (False, True):
        with pytest.raises(FetchError, match=f"expected {fingerprint}"):
            bridge(folder, sha256=fingerprint, unverified=unverified).frames(clips(1))


def test_a_list_of_sums_vouches_only_for_what_was_fetched(copy):
    folder = copy("hubert")
    names = ("config.json", "model.safetensors", "preprocessor_config.json")
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines))
    with pytest.raises(FetchError, match="nothing vouches for"):
        build({"name": "huggingface", "model": str(folder)}).frames(clips(1))


def test_every_file_that_is_read_is_an_input_of_the_frames():
    files = bridge(model_folder("ast")).weight_files()
    assert [Path(file).name for file in files] == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    assert all(Path(file).is_file() for file in files)
