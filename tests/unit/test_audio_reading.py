"""Reading a clip: scale, channels, segments, level and length."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asdflow.audio import AudioOptions, read_clip, waveform_samples
from asdflow.foundation.errors import ConfigError, DataError
from asdflow.foundation.validation import validated

RATE = 16000


@pytest.fixture
def random():
    return np.random.default_rng(7)


def wav(path, samples, rate=RATE, subtype="FLOAT", **options):
    soundfile.write(path, samples, rate, subtype=subtype, **options)
    return path


INTEGER_FORMATS = [
    ("PCM_U8", 8, "wav"),
    ("PCM_16", 16, "wav"),
    ("PCM_24", 24, "wav"),
    ("PCM_32", 32, "wav"),
    ("PCM_16", 16, "flac"),
    ("PCM_24", 24, "flac"),
]


@pytest.mark.parametrize(("subtype", "bits", "suffix"), INTEGER_FORMATS)
def test_integer_samples_become_fractions_of_full_scale(tmp_path, random, subtype, bits, suffix):
    codes = random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), 1000)
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, (codes << (32 - bits)).astype(np.int32), RATE, subtype=subtype)
    expected = (codes / 2.0 ** (bits - 1)).astype(np.float32)
    np.testing.assert_array_equal(read_clip(path, RATE), expected)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_float_samples_are_kept_also_beyond_full_scale(tmp_path, subtype):
    samples = np.array([0.5, -1.5, 3.0, 1e-9])
    np.testing.assert_array_equal(
        read_clip(wav(tmp_path / "a.wav", samples, subtype=subtype), RATE), samples.astype(np.float32)
    )


def test_the_result_is_mono_float32(tmp_path, random):
    result = read_clip(wav(tmp_path / "a.wav", random.normal(size=(50, 3))), RATE)
    assert result.dtype == np.float32 and result.shape == (50,)


def test_mix_is_the_mean_of_all_channels_and_a_number_is_that_channel(tmp_path, random):
    samples = random.normal(size=(400, 8)).astype(np.float32)
    path = wav(tmp_path / "a.wav", samples)
    mean = samples.astype(np.float64).sum(axis=1) / 8
    np.testing.assert_allclose(read_clip(path, RATE), mean, rtol=0, atol=1e-7)
    for channel in (0, 7):
        np.testing.assert_array_equal(
            read_clip(path, RATE, AudioOptions(channel=channel)), samples[:, channel]
        )


def test_a_channel_that_does_not_exist_is_an_error_that_names_file_and_count(tmp_path, random):
    path = wav(tmp_path / "a.wav", random.normal(size=(10, 2)))
    with pytest.raises(DataError, match=r"a\.wav: has no channel 2: it has 2.*audio\.channel"):
        read_clip(path, RATE, AudioOptions(channel=2))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_a_segment_is_that_part_of_the_whole_file(tmp_path, random, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, 0.1 * random.normal(size=40000), 22050)
    whole = read_clip(path, 22050)
    part = read_clip(path, 22050, start_s=0.75, duration_s=0.5)
    start = round(0.75 * 22050)
    np.testing.assert_array_equal(part, whole[start : start + 11025])
    np.testing.assert_array_equal(read_clip(path, 22050, start_s=1.0), whole[22050:])


def test_a_resampled_segment_hears_nothing_of_its_neighbours(tmp_path, random):
    """The samples before and after a segment may belong to the other side of the split."""
    middle = random.normal(size=4410)
    results = []
    for neighbours in (0.0, 100.0):
        around = np.full(4410, neighbours)
        path = wav(tmp_path / f"{neighbours}.wav", np.concatenate([around, middle, around]), 44100)
        results.append(read_clip(path, RATE, start_s=0.1, duration_s=0.1))
    np.testing.assert_array_equal(*results)


def test_a_segment_outside_the_file_is_an_error_with_the_length(tmp_path):
    path = wav(tmp_path / "a.wav", np.ones(RATE))
    for start, duration in ((1.0, None), (0.5, 0.6), (5.0, 1.0)):
        with pytest.raises(DataError, match=r"a\.wav: has no segment .* it is 1\.0000 s long.*start_s"):
            read_clip(path, RATE, start_s=start, duration_s=duration)


def test_an_end_that_overshoots_by_one_sample_of_rounding_is_cut(tmp_path):
    path = wav(tmp_path / "a.wav", np.ones(1001), 1000)
    assert len(read_clip(path, 1000, start_s=0.0005, duration_s=1.0015)) == 1001


def test_rms_normalization_reaches_its_level_whatever_the_recorded_one(tmp_path, random):
    samples = random.normal(size=5000)
    for gain in (1e-4, 0.01, 0.3):
        path = wav(tmp_path / "a.wav", gain * samples)
        clip = read_clip(path, RATE, AudioOptions(level="rms")).astype(np.float64)
        assert 20 * np.log10(np.sqrt(np.mean(clip**2))) == pytest.approx(-26.0, abs=1e-5)


def test_peak_normalization_reaches_its_level(tmp_path, random):
    path = wav(tmp_path / "a.wav", 0.01 * random.normal(size=5000))
    clip = read_clip(path, RATE, AudioOptions(level="peak"))
    assert np.abs(clip).max() == pytest.approx(10 ** (-1 / 20), rel=1e-6)
    clip = read_clip(path, RATE, AudioOptions(level="peak", level_dbfs=-6.0))
    assert np.abs(clip).max() == pytest.approx(10 ** (-6 / 20), rel=1e-6)


@pytest.mark.parametrize("level", ["rms", "peak"])
def test_silence_stays_silent_at_any_level(tmp_path, level):
    path = wav(tmp_path / "a.wav", np.zeros(100))
    assert not read_clip(path, RATE, AudioOptions(level=level)).any()


def test_the_mean_is_removed_before_the_level_is_set(tmp_path, random):
    path = wav(tmp_path / "a.wav", 0.5 + 0.01 * random.normal(size=20000))
    clip = read_clip(path, RATE, AudioOptions(remove_dc=True, level="rms")).astype(np.float64)
    assert abs(clip.mean()) < 1e-8
    assert 20 * np.log10(clip.std()) == pytest.approx(-26.0, abs=1e-4)


def test_length_rules(tmp_path, random):
    rate = 100
    short, long = random.normal(size=3 * rate), random.normal(size=12 * rate)
    short_file, long_file = wav(tmp_path / "s.wav", short, rate), wav(tmp_path / "l.wav", long, rate)
    short, long = short.astype(np.float32), long.astype(np.float32)

    def read(path, length):
        return read_clip(path, rate, AudioOptions(length=length), longest_s=7.5)

    np.testing.assert_array_equal(read(short_file, "native"), short)
    np.testing.assert_array_equal(read(long_file, "native"), long)
    np.testing.assert_array_equal(read(short_file, "first10"), short)
    np.testing.assert_array_equal(read(long_file, "first10"), long[: 10 * rate])
    np.testing.assert_array_equal(read(short_file, "pad10"), np.concatenate([short, np.zeros(7 * rate)]))
    np.testing.assert_array_equal(read(long_file, "pad10"), long[: 10 * rate])
    np.testing.assert_array_equal(
        read(short_file, "tile_max"), np.concatenate([short, short, short[: 3 * rate // 2]])
    )


def test_padding_does_not_change_the_level_of_the_sound(tmp_path, random):
    path = wav(tmp_path / "a.wav", random.normal(size=RATE))
    plain = read_clip(path, RATE, AudioOptions(level="rms"))
    padded = read_clip(path, RATE, AudioOptions(level="rms", length="pad10"))
    np.testing.assert_array_equal(padded[:RATE], plain)
    assert not padded[RATE:].any()


def test_tile_max_needs_the_longest_duration(tmp_path):
    path = wav(tmp_path / "a.wav", np.ones(100))
    with pytest.raises(ConfigError, match=r"tile_max.*longest_s"):
        read_clip(path, RATE, AudioOptions(length="tile_max"))
    assert len(read_clip(path, RATE, AudioOptions(length="tile_max", longest_s=0.5))) == 8000


@settings(max_examples=60, deadline=None)
@given(
    samples=st.integers(1, 3000),
    file_rate=st.sampled_from([100, 147, 160, 333]),
    rate=st.sampled_from([100, 147, 160, 480]),
    length=st.sampled_from(["native", "first10", "pad10", "tile_max"]),
)
def test_the_length_is_known_without_opening_the_file(tmp_path_factory, samples, file_rate, rate, length):
    path = wav(tmp_path_factory.mktemp("length") / "a.wav", np.ones(samples), file_rate)
    options = AudioOptions(length=length)
    predicted = waveform_samples(samples, file_rate, rate, options, longest_s=12.3)
    assert len(read_clip(path, rate, options, longest_s=12.3)) == predicted


def test_defaults_change_nothing_but_channels_and_rate():
    assert AudioOptions() == AudioOptions(None, False, "none", None, "native", None)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"chanel": 1}, r"audio\.chanel: key 'chanel' is not known\. Did you mean 'channel'\?"),
        ({"channel": -1}, r"audio\.channel: .*-1 is less than the minimum of 0"),
        ({"channel": "left"}, r"audio\.channel: 'left' does not fit: 'left' is not 'mix'"),
        ({"channel": True}, r"audio\.channel: True does not fit"),
        ({"level": "loud"}, r"audio\.level: 'loud' is not known\. Known: none, rms, peak"),
        ({"level": "rms", "level_dbfs": 3}, r"audio\.level_dbfs: 3(\.0)? is greater than the maximum of 0"),
        ({"level_dbfs": -20}, r"audio\.level_dbfs: is -20, but audio\.level is none"),
        ({"longest_s": 5}, r"audio\.longest_s: is 5, but audio\.length is native"),
        ({"length": "10"}, r"audio\.length: '10' is not known\. .*tile_max"),
        ("rms", r"audio: must be options, got 'rms'"),
    ],
)
def test_a_wrong_option_is_named_with_its_value_and_what_is_allowed(spec, message):
    with pytest.raises(ConfigError, match=message):
        validated(AudioOptions, "audio", spec)


def test_options_come_from_a_configuration_entry():
    assert validated(
        AudioOptions, "audio", {"channel": 1, "level": "rms", "level_dbfs": -30}
    ) == AudioOptions(channel=1, level="rms", level_dbfs=-30.0)
