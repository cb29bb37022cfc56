"""The batched Kaldi filter bank, against torchaudio's clip by clip, its formulas and its laws."""

import math

import numpy as np
import pytest
import torch
import torchaudio

from asdflow.encoders import _kaldi
from tiny_encoders import sound

EMPTY = 3  # the triangle that is narrower than the spectrum's grid


def mel(hertz):
    return 1127 * np.log(1 + np.asarray(hertz) / 700)


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
    filled = torch.arange(128) != EMPTY
    torch.testing.assert_close(difference[..., filled], torch.full_like(difference[..., filled], math.log(4)))


def test_one_triangle_of_128_holds_no_bin_of_the_spectrum():
    loud = _kaldi.fbank(waves(8000) * 32768)[0] > math.log(2.0**-23)
    assert (~loud.any(dim=0)).nonzero().tolist() == [[EMPTY]]


def test_a_tone_is_loudest_in_the_band_around_it():
    time = torch.arange(16000) / 16000
    for hertz in (312.5, 1000.0, 5000.0):
        loudest = int(_kaldi.fbank(torch.sin(2 * math.pi * hertz * time)[None])[0].mean(dim=0).argmax())
        place = (mel(hertz) - mel(20.0)) / (mel(8000.0) - mel(20.0))
        assert loudest == pytest.approx(129 * place - 1, abs=1.0)


def test_an_offset_changes_next_to_nothing():
    wave = waves(8000)
    assert (_kaldi.fbank(wave + 0.25) - _kaldi.fbank(wave)).abs().max() < 0.02


def test_float64_agrees_with_float32():
    """A spectrum of n points is rounded by about log2(n) epsilon of its norm (Higham 2002, section 24.1).

    So is each band's amplitude: a band far below the frame's level has fewer digits of its own, and how many
    differs between processors.
    """
    wave = waves(16000) * 32768
    double, single = (_kaldi.fbank(x).double().exp() for x in (wave.double(), wave))
    level = double.sum(dim=-1, keepdim=True).sqrt()
    assert ((double.sqrt() - single.sqrt()).abs() / level).max() < math.log2(512) * 2.0**-23


@pytest.mark.parametrize("window", ["povey", "hanning"])
def test_the_bank_is_what_the_formulas_give(window):
    wave = waves(1000)[0].double() * 32768
    n, bins = np.arange(400), np.arange(257)
    shape = (0.5 - 0.5 * np.cos(2 * np.pi * n / 399)) ** (0.85 if window == "povey" else 1.0)
    corners = mel(20.0) + np.arange(130) * (mel(8000.0) - mel(20.0)) / 129
    triangles = np.array(
        [np.interp(mel(bins * 16000 / 512), corners[i : i + 3], [0, 1, 0], 0, 0) for i in range(128)]
    )
    found = _kaldi.fbank(wave[None], window=window)[0].numpy()
    assert found.shape == (4, 128)
    for number, row in enumerate(found):
        frame = wave[160 * number : 160 * number + 400].numpy()
        frame = frame - frame.mean()
        frame = (frame - 0.97 * np.append(frame[0], frame[:-1])) * shape
        power = np.abs(np.exp(-2j * np.pi * np.outer(bins, n) / 512) @ frame) ** 2
        expected = np.log(np.maximum(triangles @ power, 2.0**-23))
        np.testing.assert_allclose(row, expected, atol=1e-3)  # its triangles are float32
