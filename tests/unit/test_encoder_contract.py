"""One contract over every registered encoder. A new encoder adds a line to `CASES` and nothing else here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asdflow import encoders
from asdflow.foundation.errors import ConfigError, DataError
from asdflow.pipeline.build import encoder as build
from tiny_huggingface import KINDS, model_folder
from yamnet_weights import yamnet_folder

# Encoder (and a word that tells its cases apart) -> configuration entry with a layer, and a second where
# it has one. `reference` gives the folder of reference data, or skips the test.
Reference = Callable[[], Path]
CASES: dict[str, Callable[[Reference], dict]] = {
    "logmel": lambda reference: {"layers": ["logmel"]},
    "yamnet": lambda reference: {"layers": ["layer9", "embedding"]},
    "beats": lambda reference: {
        "checkpoint": str(reference() / "fixtures/beats/beats_tiny.pt"),
        "unverified": True,
        "layers": ["last", "layer1"],
    },
    "eat": lambda reference: {
        "checkpoint": str(reference() / "fixtures/eat/eat_tiny_pretrain.pt"),
        "unverified": True,
        "layers": ["last", "layer1"],
    },
    "sslam": lambda reference: {
        "checkpoint": str(reference() / "fixtures/sslam/sslam_tiny_pretrain.pt"),
        "unverified": True,
        "layers": ["last", "layer1"],
    },
    "openl3": lambda reference: {
        "checkpoint": str(reference() / "fixtures/openl3/openl3_tiny.h5"),
        "unverified": True,
        "layers": ["512", "6144"],
    },
    **{
        f"huggingface {kind}": lambda reference, kind=kind: {
            "model": str(model_folder(kind)),
            "unverified": True,
            "layers": ["last", "layer1"],
            "long_clips": "split",
        }
        for kind in KINDS
    },
}


@pytest.fixture(params=CASES)
def spec(request, monkeypatch):
    """Configuration entry of each registered encoder."""
    name = request.param.split()[0]
    if name == "yamnet":
        monkeypatch.setenv("ASDFLOW_CHECKPOINTS", str(yamnet_folder()))
    return {"name": name} | CASES[request.param](lambda: request.getfixturevalue("shared"))


@pytest.fixture
def encoder(spec):
    """Each registered encoder."""
    return build(spec)


def test_every_registered_encoder_has_a_case():
    assert {case.split()[0] for case in CASES} == set(encoders.REGISTRY.names())


def waves(encoder, count: int = 3, samples: int | None = None, seed: int = 0) -> np.ndarray:
    samples = samples or max(encoder.min_samples, int(1.1 * encoder.sample_rate)) + 37
    return (0.1 * np.random.default_rng(seed).standard_normal((count, samples))).astype(np.float32)


def test_frames_are_batch_time_bands_channels_of_the_promised_shape(encoder):
    wave = waves(encoder)
    for samples in (wave.shape[1], 2 * wave.shape[1]):
        for layer, frames in encoder.layer_frames(waves(encoder, 2, samples)).items():
            assert frames.shape == (2, *encoder.output_shape(layer, samples))
            assert frames.dtype == np.float32 and frames.flags.c_contiguous
            assert np.isfinite(frames).all()


def test_exactly_the_selected_layers_come_in_the_order_of_the_entry(encoder, spec):
    assert list(encoder.layer_frames(waves(encoder, 1))) == list(encoder.layers)
    assert set(encoder.layers) <= set(encoder.available_layers)
    assert len(encoder.layers) == len(spec["layers"])


def test_frame_times_rise_within_the_clip_one_for_each_frame(encoder):
    samples = waves(encoder).shape[1]
    for layer in encoder.layers:
        times = encoder.frame_times(samples, layer)
        assert times.dtype == np.float64 and times.shape == (encoder.output_shape(layer, samples)[0],)
        assert times.min() >= 0 and times.max() <= samples / encoder.sample_rate
        if encoder.name != "yamnet":  # whose patches overlap
            assert (np.diff(times) > 0).all()


def test_a_longer_clip_has_more_frames_at_the_same_rate(encoder):
    rate = encoder.sample_rate
    for layer in encoder.layers:
        short, long = (encoder.output_shape(layer, seconds * rate)[0] for seconds in (4, 8))
        assert long / short == pytest.approx(2, rel=0.35)


def test_the_same_input_gives_the_same_bits_in_another_object_too(encoder, spec):
    wave = waves(encoder)
    first, again, other = (
        encoder.layer_frames(wave),
        encoder.layer_frames(wave),
        build(spec).layer_frames(wave),
    )
    for layer in first:
        assert np.array_equal(first[layer], again[layer]) and np.array_equal(first[layer], other[layer])


def test_a_clip_does_not_see_its_batch(encoder):
    wave = waves(encoder)
    together = encoder.layer_frames(wave)
    for row in range(len(wave)):
        for layer, frames in encoder.layer_frames(wave[row : row + 1]).items():
            scale = max(1.0, float(np.abs(frames).max()))
            np.testing.assert_allclose(together[layer][row], frames[0], atol=1e-5 * scale, rtol=0)
            if encoder.name in ("logmel", "yamnet"):
                assert np.array_equal(together[layer][row], frames[0])


def test_torch_in_torch_out_with_the_same_numbers(encoder):
    import torch

    wave = waves(encoder)
    arrays, tensors = encoder.layer_frames(wave), encoder.layer_frames(torch.from_numpy(wave))
    for layer, frames in arrays.items():
        assert isinstance(frames, np.ndarray)
        assert isinstance(tensors[layer], torch.Tensor) and tensors[layer].dtype == torch.float32
        assert tensors[layer].device.type == "cpu" and not tensors[layer].requires_grad
        assert np.array_equal(tensors[layer].numpy(), frames)


def test_float64_waveforms_are_taken_and_the_input_is_left_alone(encoder):
    wave = waves(encoder, 1)
    wide, before = wave.astype(np.float64), wave.copy()
    for layer, frames in encoder.layer_frames(wide).items():
        assert np.array_equal(frames, encoder.layer_frames(wave)[layer])
    assert np.array_equal(wave, before) and np.array_equal(wide, before)


def test_read_only_waveforms_are_taken(encoder):
    wave = waves(encoder, 1)
    wave.flags.writeable = False
    encoder.layer_frames(wave)


def test_silence_has_finite_frames(encoder):
    wave = np.zeros_like(waves(encoder, 1))
    assert all(np.isfinite(frames).all() for frames in encoder.layer_frames(wave).values())


def test_the_shortest_legal_clip_has_at_least_one_frame(encoder):
    for layer, frames in encoder.layer_frames(waves(encoder, 1, encoder.min_samples)).items():
        assert frames.shape[1:] == encoder.output_shape(layer, encoder.min_samples)
        assert frames.shape[1] >= 1


def test_one_sample_less_is_an_error_with_both_lengths_and_a_remedy(encoder):
    least = encoder.min_samples
    with pytest.raises(DataError, match=rf"{least - 1} samples.*at least.*{least} samples") as caught:
        encoder.layer_frames(np.zeros((1, least - 1), np.float32))
    assert "Remove the clip" in caught.value.remedy


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sample_that_is_not_finite_is_an_error_that_names_the_row(encoder, value):
    wave = waves(encoder)
    wave[1, 5] = value
    with pytest.raises(DataError, match="1 values that are not finite, first in row 1"):
        encoder.layer_frames(wave)


def test_other_shapes_and_types_are_errors(encoder):
    wave = waves(encoder, 1)
    for bad in (wave[0], wave[None]):
        with pytest.raises(DataError, match=r"expected \(batch, samples\)"):
            encoder.layer_frames(bad)
    with pytest.raises(DataError, match="expected floating point"):
        encoder.layer_frames((wave * 32768).astype(np.int16))


def test_an_unknown_layer_is_an_error_that_names_it(spec):
    with pytest.raises(ConfigError, match="nolayer"):
        encoder = build(spec | {"layers": ["nolayer"]})
        encoder.layer_frames(waves(encoder, 1))  # where the layers stand in the checkpoint


def test_frames_needs_exactly_one_layer(encoder, spec):
    wave = waves(encoder, 1)
    for layer in encoder.layers:
        alone = build(spec | {"layers": [layer]})
        assert np.array_equal(alone.frames(wave), encoder.layer_frames(wave)[layer])
    if len(encoder.layers) > 1:
        with pytest.raises(ConfigError, match="layers selected"):
            encoder.frames(wave)


def test_an_encoder_is_immutable_and_equal_to_its_like(encoder, spec):
    assert encoder == build(spec)
    with pytest.raises(AttributeError):
        encoder.layers = ("other",)


# -- what the extraction stores ------------------------------------------------------------------------------


def stored(encoder, frames, **how):
    """`Encoder.stored`, with `storage` and `stored_bands` of our choice."""
    for key, value in ({"storage": "float32", "stored_bands": "keep"} | how).items():
        object.__setattr__(encoder, key, value)
    return encoder.stored(frames, "last", "clip a")


@pytest.fixture
def plain():
    return build({"name": "logmel", "layers": ["logmel"]})


def test_frames_are_stored_as_they_are_unless_asked_otherwise(plain):
    frames = np.random.default_rng(0).normal(size=(3, 2, 5)).astype(np.float32)
    assert np.array_equal(stored(plain, frames), frames)


def test_stored_half_precision_is_the_nearest_value_that_float16_has(plain):
    frames = np.array([[[1 + 2**-11, 1 + 3 * 2**-11, 65504.0, 2**-25, -0.1]]], np.float32)
    found = stored(plain, frames, storage="float16")
    assert found.dtype == np.float32  # ties go to the even digit
    assert found.ravel().tolist()[:4] == [1.0, 1 + 2**-9, 65504.0, 0.0]
    assert abs(found[0, 0, 4] + 0.1) <= 0.1 * 2**-11


def test_stored_bands_are_averaged_before_they_are_rounded(plain):
    frames = np.array([[[1.0], [1 + 2**-10]], [[3.0], [5.0]]], np.float32)
    found = stored(plain, frames, storage="float16", stored_bands="mean")
    assert found.shape == (2, 1, 1) and found.ravel().tolist() == [1.0, 4.0]
    assert stored(plain, frames, stored_bands="mean").ravel().tolist() == [1 + 2**-11, 4.0]


def test_a_value_beyond_half_precision_is_an_error_with_a_remedy(plain):
    with pytest.raises(
        DataError, match=r"clip a: .*-?65520.* in layer 'last', float16 ends at 65504"
    ) as caught:
        stored(plain, np.full((1, 1, 2), -65520.0, np.float32), storage="float16")
    assert "storage: float32" in caught.value.remedy
