"""Clipping is seen whatever the container, and not where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from asdflow.audio.clipping import FlatTops
from asdflow.audio.files import open_audio
from asdflow.audio.measuring import measure

RATE = 16000


def found(path, samples, subtype, rate=RATE) -> tuple[int, int]:
    """Samples at full scale, and in flat tops."""
    soundfile.write(path, samples, rate, subtype=subtype)
    with open_audio(path) as file:
        measured = measure(file, 0, file.frames)
    return measured.clipped, measured.flat


def sixteen_bits(samples: np.ndarray) -> np.ndarray:
    return np.clip(np.round(samples * 32768), -32768, 32767) / 32768


@pytest.fixture
def overdriven():
    """A tone in noise, 6 dB too loud for 16 bits: the count is that of a plain loop over its samples."""
    time = np.arange(RATE) / RATE
    noise = np.random.default_rng(1).normal(0, 0.2, RATE)
    return sixteen_bits(2.0 * np.sin(2 * np.pi * 440 * time) + noise)


def runs(samples: np.ndarray, limit: float) -> int:
    """Samples in runs of three or more at or above a magnitude, one after the other."""
    total = run = 0
    for value in [*samples, 0.0]:
        if abs(value) >= limit:
            run += 1
            continue
        total += run if run >= 3 else 0
        run = 0
    return total


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_16_bits_in_a_wider_container_clip_at_the_same_samples(tmp_path, overdriven, subtype):
    clipped, _ = found(tmp_path / "a.wav", overdriven, subtype)
    assert clipped == runs(overdriven, 32767 / 32768) > 5000


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("gain", [0.9, 0.3])
def test_sound_that_was_turned_down_after_it_clipped_has_flat_tops(tmp_path, overdriven, subtype, gain):
    clipped, flat = found(tmp_path / "a.wav", gain * overdriven, subtype)
    assert clipped == 0 and flat > 5000


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "ULAW"])
@pytest.mark.parametrize("hertz", [3.0, 50.0, 440.0, 3999.0])
@pytest.mark.parametrize("level", [0.003, 0.1, 0.5, 0.98])
def test_a_pure_tone_has_no_flat_tops_however_slow_and_loud(tmp_path, subtype, hertz, level):
    tone = level * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE + 0.3)
    assert found(tmp_path / "a.wav", tone, subtype) == (0, 0)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "FLOAT"])
@pytest.mark.parametrize("level", [1e-4, 0.01, 0.2])
def test_noise_has_no_flat_tops(tmp_path, subtype, level):
    noise = np.clip(np.random.default_rng(4).normal(0, level, 20 * RATE), -0.99, 0.99)
    assert found(tmp_path / "a.wav", noise, subtype) == (0, 0)


def test_real_recordings_of_motors_are_not_called_clipped_unless_they_are(shared):
    """BLDC: recordings of 16 bits and ordinary level."""
    for path in sorted((shared / "data" / "bldc").rglob("*.flac"))[:12]:
        with open_audio(path) as file:
            measured = measure(file, 0, file.frames)
        assert (measured.clipped, measured.flat) == (0, 0), path.name


def test_flat_tops_do_not_depend_on_where_blocks_end():
    random = np.random.default_rng(6)
    samples = np.round(np.clip(random.normal(0, 0.3, 3000), -0.2, 0.2), 3)
    whole = FlatTops(1)
    whole.add(samples)
    assert whole.samples == runs(np.where(samples > 0, samples, 0), 0.2) > 0
    for size in (1, 2, 3, 7, 100):
        parts = FlatTops(1)
        for begin in range(0, len(samples), size):
            parts.add(samples[begin : begin + size])
        assert parts.samples == whole.samples
