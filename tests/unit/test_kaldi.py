"""The batched Kaldi filter bank, against torchaudio's and against its own laws."""

import math

import numpy as np
import pytest
import torch
import torchaudio

from asdflow.encoders import _kaldi
from tiny_encoders import sound


def waves(*lengths: int) -> torch.Tensor:
    return torch.from_numpy(np.stack([sound(length, "kaldi", index) for index, length in enumerate(lengths)]))


@pytest.mark.parametrize("window", ["povey", "hanning"])
@pytest.mark.parametrize(("rate", "bins"), [(16000, 128), (16000, 23), (22050, 64), (44100, 128)])
def test_every_bit_is_torchaudios(window, rate, bins):
    batch = waves(rate, rate) * (32768 if window == "povey" else 1)
    batch[1, rate // 4 : rate // 2] = batch[1, rate // 4]  # a constant stretch reaches the floor
    ours = _kaldi.fbank(batch, sample_rate=rate, mel_bins=bins, window=window)
    for row, clip in enumerate(batch):
        reference = torchaudio.compliance.kaldi.fbank(
            clip[None], num_mel_bins=bins, sample_frequency=float(rate), window_type=window
        )
        assert torch.equal(ours[row], reference)


def test_a_clip_does_not_see_its_batch():
    batch = waves(8000, 8000, 8000)
    together = _kaldi.fbank(batch)
    assert all(torch.equal(together[row : row + 1], _kaldi.fbank(batch[row : row + 1])) for row in range(3))


@pytest.mark.parametrize(
    ("samples", "frames"), [(399, 0), (400, 1), (559, 1), (560, 2), (16000, 98), (160000, 998)]
)
def test_only_whole_frames_count(samples, frames):
    assert _kaldi.frame_count(samples) == frames
    assert _kaldi.fbank(torch.zeros(2, samples)).shape == (2, frames, 128)


def test_silence_is_the_logarithm_of_epsilon():
    assert torch.equal(_kaldi.fbank(torch.zeros(1, 800)), torch.full((1, 3, 128), math.log(2.0**-23)))


def test_twice_the_amplitude_adds_the_logarithm_of_four():
    wave = waves(8000) * 32768
    difference = _kaldi.fbank(2 * wave) - _kaldi.fbank(wave)
    filled = _kaldi.mel_filters(128, 512, 16000).any(dim=1)
    torch.testing.assert_close(difference[..., filled], torch.full_like(difference[..., filled], math.log(4)))


def test_one_triangle_of_128_holds_no_bin_of_the_spectrum():
    assert (~_kaldi.mel_filters(128, 512, 16000).any(dim=1)).nonzero().tolist() == [[3]]


def test_a_tone_is_loudest_in_the_band_around_it():
    time = torch.arange(16000) / 16000
    for hertz in (312.5, 1000.0, 5000.0):
        loudest = int(_kaldi.fbank(torch.sin(2 * math.pi * hertz * time)[None])[0].mean(dim=0).argmax())
        mel = [1127 * math.log(1 + f / 700) for f in (20.0, hertz, 8000.0)]
        assert loudest == pytest.approx(129 * (mel[1] - mel[0]) / (mel[2] - mel[0]) - 1, abs=1.0)


def test_an_offset_changes_next_to_nothing():
    wave = waves(8000)
    assert (_kaldi.fbank(wave + 0.25) - _kaldi.fbank(wave)).abs().max() < 0.02


def test_float64_agrees_with_float32():
    wave = waves(16000) * 32768
    assert (_kaldi.fbank(wave.double()) - _kaldi.fbank(wave)).abs().max() < 2e-3
