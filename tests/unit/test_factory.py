"""Simulated machines: names and folders of DCASE, the stated physics, the stated signal-to-noise ratio."""

from __future__ import annotations

import csv
import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal as sp

from asdflow import datasets
from asdflow.clips import dcase_names
from asdflow.datasets.factory import _clips, bearing, fan, gearbox, generate, slider, valve
from asdflow.datasets.factory._physics import RATE, drift, fine, rms, tones
from asdflow.datasets.factory._synthesis import MACHINES, background, machine_sound, waveform
from asdflow.foundation.errors import ConfigError

SMALL = {
    "kind": "factory",
    "duration_s": 1.0,
    "train_source": 3,
    "train_target": 1,
    "test_per_cell": 2,
}
SECONDS = 8


def clip(machine: str, number: int = 0, domain: str = "source", label: str = "anomaly") -> _clips.Clip:
    return _clips.Clip(machine, "test", domain, label, number)


def dry(module, condition, severity: float, number: int = 0, seconds: int = SECONDS) -> np.ndarray:
    """Sound at the machine, without room and background."""
    name = module.__name__.rsplit(".", 1)[-1]
    return module.sound(condition, severity, partial(clip(name, number).draw, 0), seconds * RATE)


def order_spectrum(sound: np.ndarray, fundamental: float, span: float = 0.02) -> tuple[float, float]:
    """Power within `span` of a frequency, and mean power of equal width beside it."""
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    freqs = np.fft.rfftfreq(len(sound), 1 / RATE)
    width = span * fundamental
    inside = np.abs(freqs - fundamental) <= width
    beside = (np.abs(freqs - fundamental) > 2 * width) & (np.abs(freqs - fundamental) <= 4 * width)
    return power[inside].max(), power[beside].mean()


def envelope_peak(sound: np.ndarray, low: float, high: float, near: float) -> float:
    """How far the envelope's spectrum stands out near a frequency, over the median around it."""
    band = sp.sosfiltfilt(sp.butter(4, (low, high), "bandpass", fs=RATE, output="sos"), sound)
    envelope = np.abs(sp.hilbert(band))
    power = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope)))) ** 2
    freqs = np.fft.rfftfreq(len(envelope), 1 / RATE)
    inside = np.abs(freqs - near) < 0.02 * near
    around = (np.abs(freqs - near) < 0.3 * near) & ~inside
    return power[inside].max() / np.median(power[around])


# -- names, folders, sizes


def test_a_machine_is_written_in_the_folders_names_and_attributes_of_dcase(tmp_path):
    data = datasets.build(SMALL)
    generate(data, "fan", tmp_path / "fan")
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.wav"))
    assert len(names) == 3 + 1 + 4 * 2
    for name in names:
        parsed = dcase_names.parse(Path(name).name, 2023)
        assert (parsed.section, parsed.split) == ("00", name.split("/")[1])
        assert dict(parsed.attributes)["mic"] == {"source": "1", "target": "2"}[parsed.domain]
        info = soundfile.info(tmp_path / name)
        assert (info.samplerate, info.channels, info.subtype, info.frames) == (RATE, 1, "PCM_16", RATE)
    with open(tmp_path / "fan" / "attributes_00.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file_name"] for row in rows] == names
    assert rows[0]["d1p"] == "spd" and int(rows[0]["d1v"]) > 2000


def test_the_default_size_is_that_of_dcase():
    rows = datasets.build({"kind": "factory"}).clip_rows("factory", Path(), "valve")
    counts = {}
    for row in rows:
        key = (row.split, row.domain, row.label)
        counts[key] = counts.get(key, 0) + 1
    assert counts == {
        ("train", "source", "normal"): 990,
        ("train", "target", "normal"): 10,
        **{("test", domain, label): 50 for domain in ("source", "target") for label in ("normal", "anomaly")},
    }


def test_a_clip_is_the_same_bytes_in_a_small_and_in_a_large_data_set(tmp_path):
    for folder, size in (("small", SMALL), ("large", SMALL | {"train_source": 7, "test_per_cell": 4})):
        generate(datasets.build(size), "gearbox", tmp_path / folder / "gearbox")
    small = {
        path.relative_to(tmp_path / "small"): digest(path) for path in (tmp_path / "small").rglob("*.wav")
    }
    assert small
    for name, sha in small.items():
        assert digest(tmp_path / "large" / name) == sha


def test_another_seed_is_another_factory(tmp_path):
    generate(datasets.build(SMALL), "fan", tmp_path / "a" / "fan")
    generate(datasets.build(SMALL | {"seed": 1}), "fan", tmp_path / "b" / "fan")
    a, b = ({digest(path) for path in (tmp_path / side).rglob("*.wav")} for side in "ab")
    assert not a & b


def test_a_failed_generation_leaves_the_folder_of_before(tmp_path):
    generate(datasets.build(SMALL), "fan", tmp_path / "fan")
    before = {path: digest(path) for path in tmp_path.rglob("*.wav")}

    def stop(plan):
        yield plan[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(datasets.build(SMALL | {"seed": 2}), "fan", tmp_path / "fan", progress=stop)
    assert {path: digest(path) for path in tmp_path.rglob("*.wav")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["fan"]


@pytest.mark.parametrize(
    "wrong,said",
    [
        ({"machines": ["fan", "fan"]}, "twice"),
        ({"severity": [0.9, 0.2]}, "falls"),
        ({"machines": ["pump"]}, "pump"),
        ({"duration_s": 0.1}, "duration_s"),
    ],
)
def test_wrong_options_are_refused_by_name(wrong, said):
    with pytest.raises(ConfigError, match=said):
        datasets.build(SMALL | wrong)


# -- level, noise, domain, severity


@pytest.mark.parametrize("machine", sorted(MACHINES))
@pytest.mark.parametrize("snr_db", [-6.0, 3.0, 30.0])
def test_the_ratio_of_machine_to_background_is_the_stated_one(machine, snr_db):
    one, samples = clip(machine, label="normal"), 2 * RATE
    mixed = waveform(one, 0, samples, snr_db, 0.0)
    alone, noise = machine_sound(one, 0, samples, 0.0), background(one, 0, samples)
    basis = np.stack([alone, noise], axis=1)
    (machine_gain, noise_gain), residual, *_ = np.linalg.lstsq(basis, mixed, rcond=None)
    assert residual[0] < 1e-20 * len(mixed)  # the clip is these two and nothing else
    measured = 20 * np.log10(machine_gain * rms(alone) / (noise_gain * rms(noise)))
    assert measured == pytest.approx(snr_db, abs=1e-6)


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_no_clip_is_clipped_and_levels_are_those_of_quiet_recordings(machine):
    levels = []
    for number in range(4):
        sound = waveform(clip(machine, number), 0, 2 * RATE, 3.0, 1.0)
        assert np.abs(sound).max() < 0.99
        levels.append(20 * np.log10(rms(sound)))
    assert -50 < min(levels) and max(levels) < -20


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_a_fault_grows_with_its_severity_and_severity_0_is_the_healthy_twin(machine):
    for number in range(3):
        one = clip(machine, number)
        healthy = machine_sound(one, 0, 2 * RATE, 0.0)
        distance = [
            rms(machine_sound(one, 0, 2 * RATE, severity) - healthy) for severity in (0.0, 0.1, 0.4, 1.0)
        ]
        assert distance[0] == 0
        assert distance[1] <= distance[2] <= distance[3] and distance[3] > 0


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_the_target_domain_has_other_conditions_and_another_microphone(machine):
    conditions = MACHINES[machine].CONDITIONS
    source, target = (list(map(dict, conditions[domain])) for domain in ("source", "target"))
    assert not [condition for condition in target if condition in source]
    samples = 4 * RATE
    white = np.random.default_rng(0).standard_normal(samples)
    from asdflow.datasets.factory._installation import installation

    heard = [
        sp.welch(installation(0, machine, domain, samples).machine(np.random.default_rng(1), white), RATE)[1]
        for domain in ("source", "target")
    ]
    gap = 10 * np.log10(heard[0] / heard[1])[8:]
    assert np.ptp(gap) > 3  # not a gain alone


def test_conditions_are_balanced_and_the_first_clips_of_a_large_set_are_those_of_a_small_one():
    for module in MACHINES.values():
        choices = module.CONDITIONS["source"]
        dealt = [
            _clips.condition(module.CONDITIONS, clip("x", number), 0) for number in range(2 * len(choices))
        ]
        assert all(dealt.count(choice) == 2 for choice in choices)


# -- physics


def test_drift_has_the_stated_spread_and_correlation_time():
    paths = np.stack([drift(np.random.default_rng(seed), 20 * RATE, 0.5, 0.1) for seed in range(200)])
    assert paths.std() == pytest.approx(0.1, rel=0.05)
    lag = 50  # points of 10 ms
    correlation = (paths[:, :-lag] * paths[:, lag:]).mean() / (paths**2).mean()
    assert correlation == pytest.approx(np.exp(-0.5 / 0.5), abs=0.05)


def test_tones_are_the_sum_of_cosines_that_they_stand_for():
    theta = np.cumsum(fine(np.full(101, 0.01), 16_000))
    amplitudes, phases = np.array([1.0, 0.5, 0.25]), np.array([0.1, 2.0, -1.0])
    exact = sum(
        a * np.cos((k + 1) * theta + p) for k, (a, p) in enumerate(zip(amplitudes, phases, strict=True))
    )
    assert np.abs(tones(theta, amplitudes, phases) - exact).max() < 1e-4


def test_a_fan_sounds_at_multiples_of_blades_times_speed():
    for condition in fan.CONDITIONS["source"][:3]:
        sound = dry(fan, condition, 0.0)
        blade_pass = fan.BLADES * condition["spd"] / 60
        for order in (1, 2, 3):
            peak, beside = order_spectrum(sound, order * blade_pass)
            assert peak > 30 * beside


def test_imbalance_shakes_the_housing_once_a_turn():
    condition = fan.CONDITIONS["source"][2]
    turn = condition["spd"] / 60
    for number in range(3):
        healthy, faulty = (dry(fan, condition, severity, number) for severity in (0.0, 1.0))
        third = [order_spectrum(sound, 3 * turn)[0] for sound in (healthy, faulty)]
        assert third[1] > 5 * third[0]


def test_gears_mesh_at_teeth_times_speed_and_a_cracked_tooth_modulates_it_once_a_turn():
    condition = gearbox.CONDITIONS["source"][3]
    turn = condition["spd"] / 60
    mesh = gearbox.TEETH[0] * turn
    for number in range(3):
        healthy, faulty = (dry(gearbox, condition, severity, number) for severity in (0.0, 1.0))
        peak, beside = order_spectrum(healthy, mesh, 0.012)
        assert peak > 30 * beside
        kurtosis = [np.mean(s**4) / np.mean(s**2) ** 2 for s in (healthy, faulty)]
        assert kurtosis[1] > kurtosis[0]


def test_ball_pass_frequencies_are_those_of_the_geometry():
    rates = bearing.ball_pass(25.0)
    # A 6205 has 9 balls: published factors 3.585 (outer race), 5.415 (inner), 2.357 (ball), 0.398 (cage).
    for name, factor in {"bpfo": 3.585, "bpfi": 5.415, "bsf": 2.357, "ftf": 0.398}.items():
        assert rates[name] == pytest.approx(25 * factor, rel=2e-3)


def test_a_race_defect_strikes_the_resonances_at_its_ball_pass_frequency():
    condition = bearing.CONDITIONS["source"][2]
    for number in range(4):
        which = bearing.race(clip("bearing", number).draw(0, "fault"))
        at = bearing.ball_pass(condition["vel"])[which]
        healthy, faulty = (
            envelope_peak(dry(bearing, condition, severity, number), 1800, 4200, at)
            for severity in (0.0, 2.5)
        )
        assert faulty > 3 * healthy


def test_a_slide_is_loudest_while_it_moves_and_rests_between_strokes():
    condition = slider.CONDITIONS["source"][0]
    draw = partial(clip("slider").draw, 0)
    speed, corners, _ = slider.motion(condition, 0.0, draw, SECONDS * RATE)
    pull = condition["ac"] * slider.GRAVITY
    reach = min(condition["vel"], np.sqrt(pull * slider.STROKE_MM))
    assert speed.max() == pytest.approx(reach, rel=0.05)
    stroke_s = reach / pull + slider.STROKE_MM / reach
    starts = np.sort(corners)[::4]
    assert np.diff(starts).mean() == pytest.approx(stroke_s + 0.12, rel=0.1)
    sound = dry(slider, condition, 0.0)
    level = np.sqrt(np.convolve(sound**2, np.ones(160) / 160, "same"))[::160]
    moving = speed[: len(level)] > 0.5 * reach
    still = speed[: len(level)] < 1.0
    assert level[moving].mean() > 2 * level[still].mean()


def test_a_valve_clicks_once_a_period_and_a_sticking_one_misses_strokes():
    condition = valve.CONDITIONS["source"][0]
    period, _ = valve.PATTERNS[condition["pat"]]
    sound = dry(valve, condition, 0.0)
    level = np.convolve(np.abs(sound), np.ones(80) / 80, "same")
    peaks, _ = sp.find_peaks(level, height=0.5 * level.max(), distance=int(0.6 * period * RATE))
    assert np.median(np.diff(peaks)) / RATE == pytest.approx(period, rel=0.03)


def test_a_leak_hisses_while_the_valve_is_shut():
    condition = valve.CONDITIONS["source"][0]
    numbers = [n for n in range(20) if clip("valve", n).draw(0, "fault").integers(2)][:3]
    assert len(numbers) == 3
    high = sp.butter(4, 5000, "highpass", fs=RATE, output="sos")
    for number in numbers:
        quiet = [
            np.percentile(np.abs(sp.sosfilt(high, dry(valve, condition, severity, number))), 20)
            for severity in (0.0, 1.0)
        ]
        assert quiet[1] > 1.3 * quiet[0]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_faults_are_neither_hopeless_nor_given_away(root):
    """Nearest neighbours on a middle layer of YAMNet, in the committed numbers of the demo."""
    with open(root / "resources/reference/demo_metrics.csv", newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["system"] in ("nn", "ldn")
            and (row["layer"], row["pooling"]) == ("layer9", "mean")
            and row["metric"] in ("auc_source", "auc_target")
            and row["machine"] != "all"
        ]
    values = [float(row["value"]) for row in rows]
    assert len(values) == 2 * 2 * len(MACHINES)
    assert 0.58 <= min(values) and max(values) <= 0.95
