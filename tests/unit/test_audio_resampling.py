"""The resampler: what it keeps, what it lets through, and that it gives the same bits always."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from asdflow.audio import resample
from asdflow.foundation.errors import DataError

PAIRS = [(44100, 16000), (48000, 16000), (16000, 22050), (8000, 16000), (16001, 16000), (11025, 16000)]


def tone(hz, rate, seconds=0.5):
    return np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)


def middle(waveform):
    """Without the ends, where the filter reaches into the silence outside."""
    cut = len(waveform) // 5
    return waveform[cut:-cut]


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
@pytest.mark.parametrize("place", [0.02, 0.3, 0.85])
def test_a_tone_below_the_lower_nyquist_frequency_is_kept_in_level_and_time(from_hz, to_hz, place):
    hz = place * min(from_hz, to_hz) / 2
    result = resample(tone(hz, from_hz), from_hz, to_hz)
    expected = np.sin(2 * np.pi * hz * np.arange(len(result)) / to_hz)
    assert np.abs(middle(result) - middle(expected)).max() < 1e-5  # -100 dB


@pytest.mark.parametrize(("from_hz", "to_hz"), [(44100, 16000), (48000, 16000), (22050, 16000)])
@pytest.mark.parametrize("place", [1.01, 1.1, 1.35])
def test_a_tone_above_the_new_nyquist_frequency_does_not_alias(from_hz, to_hz, place):
    result = resample(tone(place * to_hz / 2, from_hz), from_hz, to_hz)
    assert 20 * np.log10(np.abs(middle(result)).max()) < -100


@pytest.mark.parametrize(("from_hz", "to_hz"), [(8000, 16000), (16000, 44100)])
def test_no_image_appears_above_the_old_nyquist_frequency(from_hz, to_hz):
    result = middle(resample(tone(0.8 * from_hz / 2, from_hz), from_hz, to_hz))
    power = np.abs(np.fft.rfft(result * np.blackman(len(result)))) ** 2
    frequencies = np.fft.rfftfreq(len(result), 1 / to_hz)
    above = power[frequencies > 1.02 * from_hz / 2].max()
    assert 10 * np.log10(above / power.max()) < -100


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_the_length_is_the_duration_rounded_up_to_whole_samples(from_hz, to_hz):
    for samples in (1, 2, 999, 1000, 4411):
        assert len(resample(np.ones(samples), from_hz, to_hz)) == -(-samples * to_hz // from_hz)


def test_a_constant_keeps_its_value():
    result = resample(np.full(8820, 0.25), 44100, 16000)
    assert np.abs(middle(result) - 0.25).max() < 1e-6


def test_equal_rates_return_the_waveform_itself():
    waveform = np.random.default_rng(0).normal(size=100)
    np.testing.assert_array_equal(resample(waveform, 16000, 16000), waveform)


def test_rates_without_a_usable_ratio_are_refused_with_a_remedy():
    with pytest.raises(DataError, match=r"a\.wav: cannot be converted from 767999 Hz to 16000 Hz.*Convert"):
        resample(np.ones(10), 767999, 16000, "a.wav")


DIGEST = """
import hashlib, numpy as np
from asdflow.audio import resample
x = np.random.Generator(np.random.PCG64(3)).normal(size=44100)
print(hashlib.sha256(resample(x, 44100, 16000).tobytes()).hexdigest())
"""


def test_the_bits_do_not_depend_on_the_number_of_threads():
    here = resample(np.random.Generator(np.random.PCG64(3)).normal(size=44100), 44100, 16000)
    threads = {name: "4" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    other = subprocess.run(
        [sys.executable, "-c", DIGEST],
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == hashlib.sha256(here.tobytes()).hexdigest()
