"""The log-mel encoder against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from asdflow.foundation.errors import ConfigError
from asdflow.pipeline.build import encoder

RATE = 16000


def sine(hz: float, amplitude: float = 1.0, samples: int = RATE) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hz * np.arange(samples) / RATE)[None]


def slaney(hz: float) -> float:
    return 3 * hz / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)


def test_values_are_those_of_the_definition_written_out():
    rng = np.random.default_rng(0)
    wave = 0.1 * rng.standard_normal(200)
    logmel = encoder({"name": "logmel", "n_fft": 64, "hop": 40, "mels": 6, "bands": 3, "fmin_hz": 300.0})
    got = logmel.frames(wave[None])[0]
    edges = np.interp(
        np.linspace(slaney(300), slaney(8000), 8),
        [slaney(hz) for hz in np.arange(0, 8000.5, 0.5)],
        np.arange(0, 8000.5, 0.5),
    )
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    for frame in range(1 + (200 - 64) // 40):
        part = wave[frame * 40 : frame * 40 + 64] * window
        for mel in range(6):
            total = 0.0
            for k in range(33):
                hz = k * RATE / 64
                weight = min(
                    (hz - edges[mel]) / (edges[mel + 1] - edges[mel]),
                    (edges[mel + 2] - hz) / (edges[mel + 2] - edges[mel + 1]),
                )
                line = sum(part[n] * np.exp(-2j * np.pi * k * n / 64) for n in range(64)) * 2 / window.sum()
                total += max(weight, 0) * abs(line) ** 2
            expected = max(10 * np.log10(total) + 120, 0)
            assert got[frame, mel // 2, mel % 2] == pytest.approx(expected, abs=2e-3)


def test_a_full_scale_sine_stands_at_0_db_of_full_scale():
    level = encoder({"name": "logmel"}).frames(sine(1000.0)).max()
    assert level - 120 == pytest.approx(0, abs=2)  # three bins of the window's main lobe under one triangle


@pytest.mark.parametrize("power", [1, 2])
def test_twice_the_amplitude_is_6_decibels_more(power):
    logmel = encoder({"name": "logmel", "power": power})
    loud, soft = logmel.frames(sine(2000.0, 0.5)), logmel.frames(sine(2000.0, 0.25))
    assert loud.max() - soft.max() == pytest.approx(20 * np.log10(2), abs=1e-4)


def test_the_loudest_filter_lies_at_the_frequency_of_the_sine():
    logmel = encoder({"name": "logmel"})
    for hz in (200.0, 1000.0, 5000.0):
        index = int(logmel.frames(sine(hz))[0].mean(0).reshape(-1).argmax())  # band-major: filters in order
        centre = np.linspace(slaney(0), slaney(8000), 130)[index + 1]
        assert centre == pytest.approx(slaney(hz), abs=0.36)


def test_silence_is_zero_and_nothing_is_negative():
    logmel = encoder({"name": "logmel"})
    assert not logmel.frames(np.zeros((1, 4000))).any()
    assert logmel.frames(1e-7 * np.random.default_rng(0).standard_normal((1, 4000))).min() >= 0


def test_a_click_shows_in_the_frames_whose_times_are_near_it():
    logmel = encoder({"name": "logmel"})
    wave = np.zeros((1, RATE))
    wave[0, 8000] = 1.0
    loud = logmel.frames(wave)[0].max(axis=(1, 2)) > 0
    times = logmel.frame_times(RATE)
    assert loud.any() and np.abs(times[loud] - 0.5).max() <= 0.032


def test_the_rate_is_a_parameter():
    logmel = encoder({"name": "logmel", "sample_rate": 48000, "n_fft": 4096, "hop": 1024})
    assert logmel.frames(sine(1000.0, samples=48000)).shape == (1, 43, 8, 16)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"bands": 7}, "must divide mels, 128"),
        ({"mels": 512}, "no FFT bin"),
        ({"fmax_hz": 9000.0}, "half the rate, 8000"),
        ({"fmin_hz": 8000.0}, "be below fmax_hz"),
        ({"hop": 2000}, "at most n_fft, 1024"),
        ({"layers": ["logmell"]}, "Did you mean 'logmel'"),
        ({"layers": ["logmel", "logmel"]}, "more than once"),
        ({"power": 3}, "Known: 1, 2"),
    ],
)
def test_a_wrong_parameter_is_explained(changed, words):
    with pytest.raises(ConfigError, match=words):
        encoder({"name": "logmel"} | changed)
