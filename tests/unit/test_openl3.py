"""OpenL3 against slow computations from its formulas, and the promises of its files, windows and options."""

import gzip
import math

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn.functional import conv2d, max_pool2d, relu

from asdflow.encoders.openl3 import excerpt_start
from asdflow.encoders.openl3 import picture as front
from asdflow.encoders.openl3.checkpoint import read
from asdflow.encoders.openl3.mel import mel_filters
from asdflow.encoders.openl3.network import Network
from asdflow.encoders.openl3.resampling import resample, resampled_samples
from asdflow.foundation.errors import ConfigError, DataError, FetchError
from asdflow.pipeline.build import encoder as build
from asdflow.stages.frames import extract
from tiny_encoders import openl3_checkpoint, openl3_content, openl3_keras, sound

CPU = torch.device("cpu")
RATE = 48000


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return openl3_checkpoint(tmp_path_factory.mktemp("openl3") / "tiny.pth.tar")


def openl3(path, **parameters):
    return build({"name": "openl3", "checkpoint": str(path), "unverified": True} | parameters)


def clips(count: int, samples: int = 30000, rate: int = RATE) -> np.ndarray:
    return np.stack([sound(samples, "openl3", index, rate=rate) for index in range(count)])


# --- the network ---


def slow_maps(content, pictures):
    """(pictures, channels, frequency, time) of every stage behind a pooling, and of the last convolution."""
    w = {name: value.double() for name, value in content.items()}

    def norm(number, x):
        name = f"batch_normalization_{number}"
        gamma, beta, mean, variance = (
            w[f"{name}.{part}"][:, None, None] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return gamma * (x - mean) / (variance + 1e-3).sqrt() + beta

    x, stages = norm(1, pictures.double()[:, None]), []
    for number in range(1, 8):
        x = conv2d(x, w[f"conv2d_{number}.weight"], w[f"conv2d_{number}.bias"], padding=1)
        x = relu(norm(number + 1, x))
        if number in (2, 4, 6):
            x = max_pool2d(x, 2)
            stages.append(x)
    last = conv2d(x, w["audio_embedding_layer.weight"], w["audio_embedding_layer.bias"], padding=1)
    return [*stages, last]


@pytest.mark.parametrize("shape", [(128, 199), (256, 199), (257, 197)], ids=["mel128", "mel256", "linear"])
def test_the_last_map_is_what_the_formulas_give(checkpoint, shape):
    pictures = -80 * torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    expected = slow_maps(openl3_content(), pictures)[-1]
    found = Network(read(checkpoint).parameters, CPU).maps(pictures)
    scale = float(expected.abs().max())
    np.testing.assert_allclose(found.permute(0, 3, 1, 2), expected, atol=3e-6 * scale)
    assert found.shape[1:3] == (16 if shape[0] == 128 else 32, 24)


@pytest.mark.parametrize("kind", ["mel128", "mel256", "linear"])
def test_embeddings_are_maxima_of_cells_frequency_before_time_before_channel(checkpoint, kind):
    frames = {"mel128": 199, "mel256": 199, "linear": 197}[kind]
    pictures = -80 * torch.rand(2, front.BANDS[kind], frames, generator=torch.Generator().manual_seed(1))
    network = Network(read(checkpoint).parameters, CPU)
    maps, found = network.maps(pictures), network.embeddings(pictures)
    high, wide = (4, 8) if kind == "mel128" else (8, 8)
    for f in range(4):
        for t in range(3):
            cell = maps[:, f * high : (f + 1) * high, t * wide : (t + 1) * wide]
            assert torch.equal(found[:, f, t], cell.amax(dim=(1, 2)))


def test_the_small_embedding_is_the_maximum_of_the_large_one_over_its_cells(checkpoint):
    frames = openl3(checkpoint, layers=[512, 6144]).layer_frames(clips(2))
    assert frames["6144"].shape[2:] == (4, 36) and frames["512"].shape[2:] == (1, 12)
    cells = frames["6144"].reshape(*frames["6144"].shape[:3], 3, 12)
    assert np.array_equal(cells.max(axis=(2, 3)), frames["512"][:, :, 0])


def test_float32_agrees_with_float64(checkpoint):
    parameters = read(checkpoint).parameters
    pictures = -80 * torch.rand(2, 128, 199, generator=torch.Generator().manual_seed(2))
    single, double = (
        Network(parameters, CPU, dtype).embeddings(pictures) for dtype in (torch.float32, torch.float64)
    )
    assert (single.double() - double).abs().max() < 1e-4 * double.abs().max()


def test_numbers_of_the_day_it_agreed_with_the_reference(checkpoint, root):
    """Vectors of our own; the reference's own are in tests/parity."""
    found = openl3(checkpoint, layers=[512, 6144]).layer_frames(clips(1))
    found["kaiser_fast"] = openl3(checkpoint, sample_rate=16000, resampler="kaiser_fast").frames(
        clips(1, 10000, 16000)
    )
    found["v04"] = openl3(checkpoint, front_end="v04").frames(clips(1))
    with np.load(root / "tests/data/openl3_tiny.npz") as expected:
        assert sorted(expected) == sorted(found)
        for key, values in found.items():
            np.testing.assert_allclose(values[0], expected[key], atol=3e-4)


# --- pictures ---


def window(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(sound(RATE, "window", seed, rate=RATE))[None]


def slow_frame(samples: np.ndarray, kind: str, front_end: str, number: int) -> np.ndarray:
    """(bands,) amplitudes of one frame, by the sum that defines the transform."""
    size = 512 if kind == "linear" else 2048
    before = 0 if kind == "linear" else {"v03": 982, "v04": 0, "v04librosa": 1024}[front_end]
    places = np.arange(size) + number * 242 - before
    inside = (places >= 0) & (places < len(samples))
    x = np.where(inside, samples[np.clip(places, 0, len(samples) - 1)], 0.0).astype(np.float64)
    x = x * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size))
    bins = np.arange(size // 2 + 1)
    spectrum = np.abs(np.exp(-2j * np.pi * np.outer(bins, np.arange(size)) / size) @ x)
    if kind == "linear":
        return spectrum
    bands = int(kind.removeprefix("mel"))
    mel = mel_filters("htk" if front_end == "v03" else "slaney", bands, len(bins), RATE).astype(np.float64)
    return np.sqrt(mel @ spectrum**2) if front_end == "v03" else mel @ spectrum


@pytest.mark.parametrize("front_end", ["v03", "v04", "v04librosa"])
@pytest.mark.parametrize(
    ("kind", "shape"), [("mel128", (128, 199)), ("mel256", (256, 199)), ("linear", (257, 197))]
)
def test_pictures_are_ten_times_the_logarithm_of_an_amplitude_below_the_maximum(kind, front_end, shape):
    samples = window()
    filters = front.filters(kind, front_end)
    mel = None if filters is None else torch.from_numpy(np.ascontiguousarray(filters.T))
    picture = front.pictures(samples, kind, front_end, mel)[0].numpy()
    assert picture.shape == shape and picture.max() == 0 and picture.min() >= -80
    loudest = int(picture.max(axis=0).argmax())
    reference = slow_frame(samples[0].numpy(), kind, front_end, loudest).max()
    for number in (0, 1, loudest, shape[1] // 2, shape[1] - 1):
        amplitude = slow_frame(samples[0].numpy(), kind, front_end, number)
        expected = np.maximum(10 * np.log10(np.maximum(amplitude, 1e-10)) - 10 * np.log10(reference), -80)
        np.testing.assert_allclose(picture[:, number], expected, atol=2e-4)


def test_gain_cancels_and_silence_is_the_maximum_everywhere(checkpoint):
    encoder = openl3(checkpoint)
    quiet, loud = encoder.pictures(window() / 8), encoder.pictures(window())
    np.testing.assert_allclose(quiet, loud, atol=1e-4)
    assert not encoder.pictures(torch.zeros(1, RATE)).any()


def test_the_stored_filters_are_used_in_v03_only(tmp_path):
    content = openl3_content()
    content["speclayer.mel_basis"] = content["speclayer.mel_basis"].flip(0)
    torch.save(content, tmp_path / "flipped.pt")
    plain = openl3_checkpoint(tmp_path / "plain.pt")
    for front_end, flipped in (("v03", True), ("v04", False)):
        ours, other = (
            openl3(path, front_end=front_end).pictures(window()) for path in (plain, tmp_path / "flipped.pt")
        )
        assert torch.equal(ours.flip(1) if flipped else ours, other)


def test_mel_filters_have_area_one_and_the_known_gaps():
    for scale in ("htk", "slaney"):
        filters = mel_filters(scale, 128, 1025, RATE)
        assert filters.shape == (128, 1025) and filters.dtype == np.float32
        wide = filters[100:].sum(axis=1) * (RATE / 2048)  # many bins: the sum is the area
        np.testing.assert_allclose(wide, 1.0, atol=0.01)
    htk = mel_filters("htk", 128, 1025, RATE).sum(axis=1)
    assert 0.038 < htk.min() and htk.max() < 0.048
    assert np.flatnonzero(mel_filters("htk", 256, 1025, RATE).sum(axis=1) == 0).tolist() == [0, 7]


def test_slaneys_scale_is_linear_to_1_khz_and_logarithmic_above():
    """15 filters to 1 kHz are 66.7 Hz apart; the corner 27 steps above 1 kHz is at 6.4 kHz."""
    corners = 15 + 27 * math.log(24.0) / math.log(6.4)  # mel of 24 kHz
    filters = mel_filters("slaney", 41, 240001, RATE)
    hertz = np.linspace(0, 24000, 240001)
    peaks = hertz[filters.argmax(axis=1)]
    steps = np.arange(1, 42) * corners / 42
    expected = np.where(steps < 15, steps * 200 / 3, 1000 * 6.4 ** ((steps - 15) / 27))
    np.testing.assert_allclose(peaks, expected, atol=0.2)


# --- windows ---


@pytest.mark.parametrize(
    ("seconds", "hop_s", "center", "count"),
    [(10, 0.1, True, 96), (10, 0.1, False, 91), (1, 0.1, True, 6), (1, 0.1, False, 1), (2.37, 0.5, False, 4)],
)
def test_number_of_windows(checkpoint, seconds, hop_s, center, count):
    samples = round(seconds * RATE)
    encoder = openl3(checkpoint, hop_s=hop_s, center=center)
    assert encoder.output_shape("512", samples) == (count, 1, 12)
    hop = int(hop_s * RATE)
    found = front.windows(torch.arange(1.0, samples + 1), hop, center)
    assert found.shape == (count, RATE)
    lead = 24000 if center else 0
    for number in (0, count - 1):
        places = np.arange(RATE) + number * hop - lead
        expected = np.where((places >= 0) & (places < samples), places + 1.0, 0.0)
        np.testing.assert_array_equal(found[number].numpy(), expected.astype(np.float32))


def test_times_are_the_middles_of_the_windows(checkpoint):
    np.testing.assert_allclose(openl3(checkpoint).frame_times(RATE), np.arange(6) / 10)
    uncentred = openl3(checkpoint, center=False, hop_s=0.25)
    np.testing.assert_allclose(uncentred.frame_times(2 * RATE), [0.5, 0.75, 1.0, 1.25, 1.5])
    assert uncentred.frame_times(4800).tolist() == [0.1]  # the middle lies behind the clip's end


def test_a_short_clip_is_one_window_filled_with_zeros(checkpoint):
    encoder = openl3(checkpoint, center=False)
    short = clips(1, 7000)
    padded = np.pad(short, ((0, 0), (0, RATE - 7000)))
    assert np.array_equal(encoder.frames(short), encoder.frames(padded))


def test_windows_do_not_see_each_other(checkpoint):
    encoder = openl3(checkpoint, center=False, hop_s=0.5)
    wave = clips(1, 2 * RATE)
    for number, frame in enumerate(encoder.frames(wave)[0]):
        start = number * RATE // 2
        np.testing.assert_allclose(encoder.frames(wave[:, start : start + RATE])[0, 0], frame, atol=1e-5)


def test_an_excerpt_is_a_part_of_the_clip_at_a_place_that_the_clip_decides(checkpoint):
    encoder = openl3(checkpoint, excerpt_s=0.5)
    waves = clips(40, 30000)
    places = [excerpt_start(torch.from_numpy(wave), 24000) for wave in waves]
    assert 0 <= min(places) < 1000 and 5000 < max(places) <= 6000 and len(set(places)) > 30
    frames = encoder.frames(waves[:2])
    for wave, start, found in zip(waves, places, frames, strict=False):
        part = wave[None, start : start + 24000]
        assert np.array_equal(openl3(checkpoint).frames(part)[0], found)
    assert encoder.output_shape("512", 30000) == frames.shape[1:]
    assert len(encoder.frame_times(30000)) == frames.shape[1]


def test_a_clip_shorter_than_the_excerpt_is_heard_whole(checkpoint):
    wave = clips(1, 20000)
    assert np.array_equal(openl3(checkpoint, excerpt_s=0.5).frames(wave), openl3(checkpoint).frames(wave))


# --- resampling ---


def slow_resample(x: np.ndarray, from_hz: int, to_hz: int, kind: str) -> np.ndarray:
    """resampy 0.2's loops, position by position."""
    crossings, rolloff, beta = {
        "kaiser_best": (64, 0.9475937167399596, 14.769656459379492),
        "kaiser_fast": (16, 0.85, 8.555504641634386),
    }[kind]
    size = 512 * crossings + 1
    right = np.kaiser(2 * 512 * crossings + 1, beta)[512 * crossings :]
    h = rolloff * np.sinc(rolloff * np.arange(size) / 512) * right
    after = np.append(h[1:], h[-1])
    out = np.zeros(len(x) * to_hz // from_hz)
    for t in range(len(out)):
        m, rest = divmod(t * from_hz, to_hz)
        for fraction, taps in ((rest / to_hz, range(m, -1, -1)), (1 - rest / to_hz, range(m + 1, len(x)))):
            offset = math.floor(512 * fraction)
            eta = 512 * fraction - offset
            for i, place in zip(range((size - offset) // 512), taps, strict=False):
                entry = offset + 512 * i
                out[t] += (h[entry] + eta * (after[entry] - h[entry])) * x[place]
    return out


@pytest.mark.parametrize("kind", ["kaiser_fast", "kaiser_best"])
@pytest.mark.parametrize("rate", [16000, 44100, 32000, 22050])
def test_resampling_is_resampys(rate, kind):
    x = np.random.default_rng(0).standard_normal(150)
    found = resample(torch.from_numpy(x), rate, RATE, kind)
    np.testing.assert_allclose(found, slow_resample(x, rate, RATE, kind), atol=1e-12)
    assert len(found) == resampled_samples(150, rate, RATE)


def test_long_clips_are_resampled_piece_by_piece_to_the_same_numbers():
    x = torch.from_numpy(sound(20000, "long")).double()
    whole = resample(x, 16000, RATE, "kaiser_fast")
    part = resample(x[:9000], 16000, RATE, "kaiser_fast")
    np.testing.assert_allclose(whole[: 3 * 8900], part[: 3 * 8900], atol=1e-14)


def test_recordings_at_their_own_rate_are_heard_through_the_resampler(checkpoint):
    wave = clips(2, 12000, 16000)
    for kind in ("kaiser_best", "kaiser_fast"):
        up = torch.stack([resample(torch.from_numpy(one), 16000, RATE, kind) for one in wave])
        direct = openl3(checkpoint).frames(up.numpy())
        assert np.array_equal(openl3(checkpoint, sample_rate=16000, resampler=kind).frames(wave), direct)


def test_files_of_a_rate_the_encoder_was_not_told_of_are_refused_before_any_is_read(checkpoint, tmp_path):
    table = pa.table({"clip": ["a", "b"], "sample_rate": [RATE, 16000]})
    with pytest.raises(DataError, match=r"clip b: is recorded at 16000 Hz, .* expects 48000 Hz") as caught:
        extract(table, pytest.fail, openl3(checkpoint), tmp_path / "frames.parquet", {}, progress=False)
    assert "sample_rate: 16000" in caught.value.remedy


# --- batches ---


def test_a_clips_bits_depend_on_nothing_else(checkpoint):
    encoder = openl3(checkpoint)
    separate = [sound(length, length, rate=RATE) for length in (30000, 60000, 30000)]
    alone = [encoder.frames(clip[None])[0] for clip in separate]
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            together = encoder.frames(separate)
            assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))
    finally:
        torch.set_num_threads(before)


# --- files and parameters ---


def test_every_file_format_gives_the_same_bits(tmp_path, checkpoint):
    expected = openl3(checkpoint).frames(clips(1))
    plain = openl3_keras(tmp_path / "plain.h5")
    zipped = tmp_path / "zipped.h5.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    renumbered = openl3_keras(tmp_path / "renumbered.h5", first_number=37)
    old = openl3_keras(tmp_path / "old.h5", old_bands=128)
    for path in (plain, zipped, renumbered, old):
        assert np.array_equal(openl3(path).frames(clips(1)), expected), path.name


def test_a_file_that_tells_its_picture_is_not_used_with_another(tmp_path, checkpoint):
    for path, told in (
        (checkpoint, "mel128"),
        (openl3_checkpoint(tmp_path / "mel256.pt", bands=256), "mel256"),
        (openl3_checkpoint(tmp_path / "linear.pt", bands=0), "linear"),
        (openl3_keras(tmp_path / "old.h5", old_bands=256), "mel256"),
        (openl3_keras(tmp_path / "old_linear.h5", old_bands=0), "linear"),
    ):
        frames = openl3(path, picture=told).frames(clips(1, 5000))
        assert np.array_equal(openl3(path).frames(clips(1, 5000)), frames)
        other = "mel128" if told != "mel128" else "mel256"
        with pytest.raises(ConfigError, match=f"trained on the picture {told}, but {other}"):
            openl3(path, picture=other).frames(clips(1, 5000))


@pytest.mark.parametrize(
    "name", ["openl3_mel256_music", "openl3_mel256_env_keras", "files/openl3_audio_mel256_env-v0_4_0.h5.gz"]
)
def test_a_published_name_tells_its_picture_before_any_file_is_there(name):
    with pytest.raises(ConfigError, match="was trained on the picture mel256, but linear"):
        build({"name": "openl3", "checkpoint": name, "picture": "linear"})
    build({"name": "openl3", "checkpoint": name, "picture": "mel256"})


def test_the_picture_of_a_file_that_does_not_tell_is_taken_from_its_name_or_the_option(tmp_path):
    silent = openl3_keras(tmp_path / "silent.h5")
    named = openl3_keras(tmp_path / "openl3_audio_linear_env-v0_4_0.h5")
    shown = {
        path.name: openl3(path, **parameters).pictures(window()).shape[1]
        for path, parameters in ((silent, {}), (named, {}))
    }
    assert shown == {silent.name: 128, named.name: 257}
    assert openl3(silent, picture="mel256").pictures(window()).shape[1] == 256


def test_all_missing_and_unexpected_tensors_are_listed_in_one_error(tmp_path):
    content = openl3_content()
    del content["conv2d_3.bias"], content["batch_normalization_8.running_var"]
    content["conv2d_8.bias"] = torch.zeros(3)
    content["batch_normalization_2.bias"] = torch.zeros(9)
    torch.save(content, tmp_path / "wrong.pt")
    with pytest.raises(FetchError) as caught:
        openl3(tmp_path / "wrong.pt").frames(clips(1))
    for part in (
        "missing: 2 (conv2d_3.bias, batch_normalization_8.running_var)",
        "unexpected: 1 (conv2d_8.bias)",
        "batch_normalization_2.bias is 9 instead of 4",
    ):
        assert part in str(caught.value)


def test_damaged_and_other_files_are_named(tmp_path):
    import h5py

    whole = openl3_keras(tmp_path / "whole.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cut.h5.gz").write_bytes(gzip.compress(whole)[:2000])
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["layer_names"] = [b"dense"]
        file.create_group("dense").attrs["weight_names"] = [b"dense/kernel:0"]
        file["dense/dense/kernel:0"] = np.zeros((3, 3))
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    torch.save([1, 2], tmp_path / "list.pt")
    (tmp_path / "text.pt").write_text("weights")
    for name in ("cut.h5", "cut.h5.gz", "other.h5", "empty.h5", "list.pt", "text.pt"):
        with pytest.raises(FetchError, match=name):
            openl3(tmp_path / name).frames(clips(1))


def test_a_layer_of_a_wrong_shape_is_named(tmp_path):
    import h5py

    path = openl3_keras(tmp_path / "odd.h5")
    with h5py.File(path, "r+") as file:
        del file["conv2d_2/conv2d_2/weight_0:0"]
        file["conv2d_2/conv2d_2/weight_0:0"] = np.zeros((5, 5, 4, 6), np.float32)
    with pytest.raises(FetchError, match=r"layer 'conv2d_2' has weights of shapes \[\(5, 5, 4, 6\)"):
        openl3(path).frames(clips(1))


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"layers": [1024]}, "1024"),
        ({"layers": [512, "512"]}, "more than once"),
        ({"hop_s": 0.0}, "hop_s"),
        ({"hop_s": 1e-6}, "less than a sample"),
        ({"sample_rate": 96000}, "sample_rate"),
        ({"picture": "mel64"}, "picture"),
        ({"front_end": "v05"}, "front_end"),
        ({"resampler": "soxr"}, "resampler"),
    ],
)
def test_parameters_that_cannot_be_are_refused(parameters, word):
    with pytest.raises(ConfigError, match=word):
        build({"name": "openl3"} | parameters)


def test_an_empty_clip_is_refused(checkpoint):
    with pytest.raises(DataError, match="0 samples"):
        openl3(checkpoint).frames(np.zeros((1, 0), np.float32))
