"""Noise: its level, its spectrum, and that a clip always gets the same."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import soundfile

from asdflow.audio import AudioOptions, read_clip
from asdflow.audio.noise import NoiseOptions, pink
from asdflow.foundation.errors import ConfigError, DataError
from asdflow.foundation.validation import validated

RATE = 16000


@pytest.fixture
def clip():
    return 0.1 * np.sin(np.arange(2 * RATE) * 0.3)


@pytest.fixture
def recordings(tmp_path):
    """Three noise files: short and long, mono and stereo, at different rates."""
    random = np.random.default_rng(5)
    folder = tmp_path / "noise"
    (folder / "inner").mkdir(parents=True)
    soundfile.write(folder / "short.wav", 0.1 * random.normal(size=4000), 8000)
    soundfile.write(folder / "long.flac", 0.1 * random.normal(size=(90000, 2)), 22050)
    soundfile.write(folder / "inner" / "b.wav", 0.1 * random.normal(size=40000), RATE)
    return folder


def noise_of(options, clip, name="c"):
    return options.mix(clip, RATE, name) - clip


@pytest.mark.parametrize("color", ["white", "pink", "recorded"])
@pytest.mark.parametrize("snr_db", [-15.0, 0.0, 20.0])
def test_every_clip_has_exactly_the_snr_asked_for(clip, recordings, color, snr_db):
    where = str(recordings) if color == "recorded" else None
    for gain in (1.0, 1e-3):
        for name in ("a", "b", "c"):
            noise = noise_of(NoiseOptions(snr_db, color, where), gain * clip, name)
            ratio = 20 * np.log10(np.std(gain * clip) / np.std(noise))
            assert ratio == pytest.approx(snr_db, abs=1e-6)


def test_an_offset_does_not_count_as_signal(clip):
    options = NoiseOptions(0.0)
    np.testing.assert_allclose(noise_of(options, clip + 0.5), noise_of(options, clip), atol=1e-12)


@pytest.mark.parametrize("color", ["white", "pink", "recorded"])
def test_the_same_clip_gets_the_same_noise_and_another_clip_or_seed_another(clip, recordings, color):
    where = str(recordings) if color == "recorded" else None
    first = NoiseOptions(0.0, color, where).mix(clip, RATE, "a")
    np.testing.assert_array_equal(first, NoiseOptions(0.0, color, where).mix(clip, RATE, "a"))
    assert not np.array_equal(first, NoiseOptions(0.0, color, where).mix(clip, RATE, "b"))
    assert not np.array_equal(first, NoiseOptions(0.0, color, where, seed=1).mix(clip, RATE, "a"))


def test_another_snr_is_the_same_noise_louder(clip):
    loud, soft = noise_of(NoiseOptions(-20.0), clip), noise_of(NoiseOptions(0.0), clip)
    np.testing.assert_allclose(loud, 10.0 * soft, rtol=1e-9, atol=1e-12)


def octave_levels(noise):
    """Power of each octave from 125 Hz to 8 kHz, dB."""
    power = np.abs(np.fft.rfft(noise)) ** 2
    frequencies = np.fft.rfftfreq(len(noise), 1 / RATE)
    edges = 125.0 * 2.0 ** np.arange(7)
    bands = [
        power[(frequencies >= low) & (frequencies < high)].sum() for low, high in itertools.pairwise(edges)
    ]
    return 10 * np.log10(bands)


def test_pink_noise_has_equal_power_in_every_octave():
    levels = octave_levels(pink(np.random.default_rng(0).normal(size=60 * RATE)))
    assert np.ptp(levels) < 0.5


def test_white_noise_gains_three_decibels_an_octave():
    long = np.sin(np.arange(60 * RATE) * 0.3)
    levels = octave_levels(NoiseOptions(0.0, "white").mix(long, RATE, "a") - long)
    np.testing.assert_allclose(np.diff(levels), 10 * np.log10(2), atol=0.4)


@pytest.mark.parametrize("samples", [2, 3, 1000, 1001])
def test_pink_noise_has_no_mean_and_keeps_its_length(samples):
    noise = pink(np.random.default_rng(1).normal(size=samples))
    assert len(noise) == samples and abs(noise.mean()) < 1e-12 and np.std(noise) > 0


def test_recorded_noise_is_an_excerpt_of_one_of_the_files(clip, tmp_path):
    folder = tmp_path / "noise"
    folder.mkdir()
    sound = np.random.default_rng(2).integers(-9000, 9000, 5 * RATE).astype(np.int16)
    soundfile.write(folder / "n.wav", sound, RATE)
    noise = noise_of(NoiseOptions(0.0, "recorded", str(folder)), clip)
    spectrum = np.fft.irfft(np.fft.rfft(sound, 2**18) * np.conj(np.fft.rfft(noise, 2**18)))
    start = int(np.argmax(spectrum[: len(sound) - len(clip) + 1]))
    excerpt = sound[start : start + len(clip)].astype(float)
    assert np.corrcoef(excerpt, noise)[0, 1] > 1 - 1e-9


def test_a_noise_file_shorter_than_the_clip_is_repeated(tmp_path, clip):
    path = tmp_path / "n.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(3).normal(size=RATE // 2), RATE)
    noise = noise_of(NoiseOptions(0.0, "recorded", str(path)), clip)
    np.testing.assert_allclose(noise[: RATE // 2], noise[RATE // 2 : RATE], atol=1e-12)


def test_noise_does_not_depend_on_where_the_folder_lies(clip, recordings, tmp_path):
    moved = tmp_path / "elsewhere"
    recordings_copy = moved / "noise"
    recordings_copy.mkdir(parents=True)
    for path in recordings.rglob("*.*"):
        target = recordings_copy / path.relative_to(recordings)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    options = NoiseOptions(0.0, "recorded", "noise")
    np.testing.assert_array_equal(
        options.at(tmp_path).mix(clip, RATE, "a"), options.at(moved).mix(clip, RATE, "a")
    )


def test_the_files_that_frames_depend_on_are_listed_in_order(recordings, tmp_path):
    options = NoiseOptions(0.0, "recorded", "noise")
    assert options.files(tmp_path) == ["noise/inner/b.wav", "noise/long.flac", "noise/short.wav"]
    assert NoiseOptions(0.0).files(tmp_path) == []


def test_noise_is_mixed_before_the_level_is_set_and_before_padding(tmp_path, clip):
    path = tmp_path / "a.wav"
    soundfile.write(path, clip, RATE, subtype="FLOAT")
    options = AudioOptions(level="rms", length="pad10")
    result = read_clip(path, RATE, options, noise=NoiseOptions(-5.0), clip_id="a").astype(np.float64)
    sound, padding = result[: len(clip)], result[len(clip) :]
    assert 20 * np.log10(np.sqrt(np.mean(sound**2))) == pytest.approx(-26.0, abs=1e-4)
    assert not padding.any()


def test_noise_without_a_clip_id_is_refused(tmp_path, clip):
    path = tmp_path / "a.wav"
    soundfile.write(path, clip, RATE)
    with pytest.raises(ConfigError, match="clip_id: is missing"):
        read_clip(path, RATE, noise=NoiseOptions(0.0))


def test_a_silent_clip_has_no_snr(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(100), RATE)
    with pytest.raises(DataError, match=r"a\.wav: is silent, so noise at -5 dB SNR has no level.*Leave"):
        read_clip(path, RATE, noise=NoiseOptions(-5.0), clip_id="a")


def test_silent_noise_names_its_file(tmp_path, clip):
    path = tmp_path / "n.wav"
    soundfile.write(path, np.zeros(4 * RATE), RATE)
    with pytest.raises(DataError, match=r"n\.wav: is silent from .* noise\.recordings"):
        NoiseOptions(0.0, "recorded", str(path)).mix(clip, RATE, "a")


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()], ids=["missing", "empty"])
def test_noise_recordings_that_are_not_there_are_an_error(tmp_path, make):
    where = tmp_path / "noise"
    make(where)
    with pytest.raises(DataError, match=r"noise: (does not exist|holds no noise recordings)"):
        NoiseOptions(0.0, "recorded", "noise").files(tmp_path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, r"noise: the key 'snr_db' is missing"),
        ({"snr_db": "loud"}, r"noise\.snr_db: 'loud' is not of type 'number'"),
        (
            {"snr_db": 0, "colour": "pink"},
            r"noise\.colour: key 'colour' is not known\. Did you mean 'color'\?",
        ),
        ({"snr_db": 0, "color": "brown"}, r"noise\.color: 'brown' is not known\. Known: .*pink"),
        ({"snr_db": 0, "color": "recorded"}, r"noise\.recordings: is None, but noise\.color is recorded"),
        ({"snr_db": 0, "recordings": "x"}, r"noise\.recordings: is 'x', but noise\.color is pink"),
        ({"snr_db": 0, "seed": -1}, r"noise\.seed: -1 is less than the minimum of 0"),
    ],
)
def test_a_wrong_option_is_named(spec, message):
    with pytest.raises(ConfigError, match=message):
        validated(NoiseOptions, "noise", spec)
