"""The clips table: what it says of good recordings, and what it warns of."""

from __future__ import annotations

import hashlib
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from asdflow import datasets
from asdflow.audio import AudioOptions
from asdflow.clips import measured
from asdflow.clips.rows import ClipRow
from asdflow.products import tables
from asdflow.products.schemas import CLIPS
from asdflow.stages.usable import longest_s, require_usable

RATE = 8000


@pytest.fixture
def random():
    return np.random.default_rng(11)


@pytest.fixture
def study(tmp_path, random):
    """Write recordings and their list; return the clips table as a list of dicts by clip."""
    root = tmp_path / "rig"
    root.mkdir()

    def make(lines: str, sounds: dict[str, np.ndarray] | None = None, rate: int = RATE, **options):
        for name, samples in (sounds or {}).items():
            soundfile.write(root / name, np.round(32767 * samples).astype(np.int16), rate)
        header = options.pop("header", "path,split,label,domain")
        (root / "clips.csv").write_text(f"{header}\n{lines}\n")
        data = datasets.build({"kind": "folder", "root": "rig", **options})
        return data.clips_table("mine", tmp_path, "rig")

    make.root = root
    return make


def noise(random, samples=RATE, gain=0.1, channels=1):
    shape = samples if channels == 1 else (samples, channels)
    return gain * random.uniform(-1, 1, shape)


FOUR = "a.wav,train,normal,\nb.wav,train,normal,\nc.wav,test,normal,\nd.wav,test,anomaly,"


def four(random, **replaced):
    return {f"{name}.wav": noise(random) for name in "abcd"} | replaced


def by_clip(table: pa.Table) -> dict[str, dict]:
    return {row["clip"]: row for row in table.to_pylist()}


def warnings(table: pa.Table) -> dict[str, list[str]]:
    return {clip: row["warnings"] for clip, row in by_clip(table).items() if row["warnings"]}


def test_the_table_keeps_its_schema_and_can_be_written_and_read(study, random, tmp_path):
    table = study(FOUR, four(random))
    assert table.schema.equals(CLIPS.arrow())
    path = tmp_path / "clips.parquet"
    tables.write(path, "clips", table, {"test": 1})
    assert tables.read(path, "clips").to_pylist() == table.to_pylist()


def test_the_same_recordings_give_the_same_bytes(study, random, tmp_path):
    sounds = four(random)
    for name in ("one", "two"):
        tables.write(tmp_path / name, "clips", study(FOUR, sounds), {})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_peak_rms_and_hash_are_those_of_the_file(study, random):
    row = by_clip(study(FOUR, four(random)))["c"]
    samples, _ = soundfile.read(study.root / "c.wav", dtype="float64")
    assert row["peak"] == pytest.approx(np.abs(samples).max(), rel=1e-8)
    assert row["rms"] == pytest.approx(np.sqrt(np.mean(samples**2)), rel=1e-8)
    assert row["sha256"] == hashlib.sha256((study.root / "c.wav").read_bytes()).hexdigest()
    assert (row["samples"], row["sample_rate"], row["channels"]) == (RATE, RATE, 1)
    assert (row["start_s"], row["duration_s"]) == (0.0, 1.0)


def test_level_and_peak_of_stereo_cover_all_channels(study, random):
    stereo = noise(random, channels=2) * [0.1, 1.0]
    row = by_clip(study(FOUR, four(random, **{"c.wav": stereo})))["c"]
    samples, _ = soundfile.read(study.root / "c.wav", dtype="float64")
    assert row["channels"] == 2 and row["samples"] == RATE
    assert row["peak"] == pytest.approx(np.abs(samples).max(), rel=1e-8)
    assert row["rms"] == pytest.approx(np.sqrt(np.mean(samples**2)), rel=1e-8)


def test_rows_are_sorted_by_section_and_clip(study, random):
    lines = "d.wav,train,01\nc.wav,train,01\nb.wav,train,00\na.wav,train,00"
    table = study(lines, four(random), header="path,split,section")
    assert table.column("clip").to_pylist() == ["a", "b", "c", "d"]


def test_good_recordings_have_no_warnings(study, random):
    assert warnings(study(FOUR, four(random))) == {}


# -- segments --------------------------------------------------------------------------------------------

SEGMENTS = "path,split,start_s,duration_s,recording"


def segments(count: int, split="train", start=0.0, step=1.0, duration=1.0, recording="") -> str:
    return "\n".join(f"long.wav,{split},{start + step * i:g},{duration:g},{recording}" for i in range(count))


def test_segments_are_measured_like_files_of_their_own(study, random):
    sound = np.concatenate([noise(random, gain=gain) for gain in (0.1, 0.2, 0.4)])
    rows = by_clip(study(segments(3), {"long.wav": sound}, header=SEGMENTS))
    samples, _ = soundfile.read(study.root / "long.wav", dtype="float64")
    for i in range(3):
        part, row = samples[i * RATE : (i + 1) * RATE], rows[f"long#{i}"]
        assert row["peak"] == pytest.approx(np.abs(part).max(), rel=1e-8)
        assert row["rms"] == pytest.approx(np.sqrt(np.mean(part**2)), rel=1e-8)
        assert (row["start_s"], row["duration_s"], row["recording"]) == (float(i), 1.0, "long")


def test_a_file_of_many_segments_is_opened_and_hashed_once(study, random, monkeypatch):
    opened, hashed = [], []
    open_audio, sha256 = measured.open_audio, measured._sha256
    monkeypatch.setattr(measured, "open_audio", lambda path: opened.append(path) or open_audio(path))
    monkeypatch.setattr(measured, "_sha256", lambda path: hashed.append(path) or sha256(path))
    study(segments(20), {"long.wav": noise(random, 20 * RATE)}, header=SEGMENTS)
    assert len(opened) == len(hashed) == 1


def test_memory_does_not_grow_with_the_recording(study, random):
    sound = np.tile(noise(random, RATE), 600)  # ten minutes: 38 MB as float64
    study(segments(2, duration=300, step=300), {"long.wav": sound}, header=SEGMENTS)
    del sound
    data = datasets.build({"kind": "folder", "root": "rig"})
    tracemalloc.start()
    data.clips_table("mine", study.root.parent, "rig")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6


def test_progress_sees_each_file(study, random):
    study(FOUR, four(random))
    data, seen = datasets.build({"kind": "folder", "root": "rig"}), []

    def progress(files):
        for path in files:
            seen.append(path)
            yield path

    measured.table(
        "rig",
        data.root("mine", study.root.parent),
        data.clip_rows("mine", study.root.parent, "rig"),
        progress,
    )
    assert seen == ["a.wav", "b.wav", "c.wav", "d.wav"]


# -- warnings that need arithmetic -----------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 100, 65535, 65534, 65533, 131071, 139990])
@pytest.mark.parametrize("run", [1, 2, 3, 10])
def test_runs_at_full_scale_are_counted_wherever_a_block_ends(study, random, place, run):
    sound = noise(random, 140000)
    sound[place : place + run] = 1.0
    found = warnings(study(FOUR, four(random, **{"c.wav": sound})))
    length = min(run, 140000 - place)
    expected = [f"clipped: {length} samples at full scale ({length / 140000:.2%})"] if length > 2 else []
    assert found.get("c", []) == expected


def test_clipping_below_zero_and_of_eight_bit_samples_is_seen(study, random):
    sounds = four(random)
    sounds["c.wav"][50:60] = -1.0
    study(FOUR, sounds)
    soundfile.write(study.root / "d.wav", np.full(100, 1.0), RATE, subtype="PCM_U8")
    with soundfile.SoundFile(study.root / "d.wav", "r+") as file:
        file.write(noise(random, 50))
    found = warnings(study(FOUR))
    assert found["c"] == ["clipped: 10 samples at full scale (0.12%)"]
    assert found["d"][0] == "clipped: 50 samples at full scale (50.00%)"


def test_copies_are_found_by_their_sound_whatever_their_format(study, random):
    sounds = four(random)
    sounds["b.flac"] = sounds["a.wav"]
    sounds["c.wav"] = sounds["d.wav"]
    lines = FOUR.replace("b.wav", "b.flac")
    assert warnings(study(lines, sounds)) == {
        "a": ["same sound as b"],
        "b": ["same sound as a"],
        "c": ["same sound as d"],
        "d": ["same sound as c"],
    }


def test_longest_is_the_longest_clip_of_all_tables(study, random):
    one = study(FOUR, four(random))
    two = study(FOUR, four(random, **{"d.wav": noise(random, 3 * RATE)}))
    assert longest_s([one, two]) == 3.0


def test_clips_that_an_encoder_cannot_take_are_listed_together(study, random):
    short = noise(random, 100)
    table = study(FOUR, four(random, **{"c.wav": short, "d.wav": short[:90]}))
    with pytest.raises(measured.DataError, match=r"yamnet: cannot take 2 of 4 clips") as caught:
        require_usable(table, AudioOptions(), 16000, 15600, "yamnet")
    assert "c: 0.013 s long, but yamnet needs 0.975 s or more" in str(caught.value)
    assert "d: " in str(caught.value) and "pad10" in str(caught.value)
    require_usable(table, AudioOptions(length="pad10"), 16000, 15600, "yamnet")
    require_usable(table, AudioOptions(length="tile_max"), 16000, 15600, "yamnet", longest_s=1.0)


def test_the_name_of_a_clip_is_exact_to_the_microsecond():
    names = {ClipRow("a.wav", start_s=start, duration_s=1.0).clip for start in (0, 1e-6, 100000.5, 100000.25)}
    assert names == {"a#0", "a#0.000001", "a#100000.5", "a#100000.25"}


# -- real recordings -------------------------------------------------------------------------------------


def test_the_bldc_recordings(shared, tmp_path):
    data = datasets.build({"kind": "folder", "root": str(shared / "data/bldc")})
    assert data.machine_names("bldc", tmp_path) == ["bldc"]
    assert len(data.source_files("bldc", tmp_path, "bldc")) == 37
    table = data.clips_table("bldc", tmp_path, "bldc")
    rows = table.to_pylist()
    counts = {}
    for row in rows:
        key = (row["split"], row["domain"], row["label"])
        counts[key] = counts.get(key, 0) + 1
    assert counts == {
        ("train", "source", "normal"): 50,
        ("train", "target", "normal"): 10,
        ("test", "source", "normal"): 20,
        ("test", "source", "anomaly"): 30,
        ("test", "target", "normal"): 20,
        ("test", "target", "anomaly"): 40,
    }
    assert {row["duration_s"] for row in rows} == {2.0}
    odd = {row["path"] for row in rows if row["sample_rate"] == 44100}
    assert len(odd) == 1  # one recording was made at another rate, and the table says so
    assert warnings(table) == {
        row["clip"]: ["44100 Hz, most clips of the machine have 16000"] for row in rows if row["path"] in odd
    }


def test_the_flat_clips_of_2020_with_a_bank_by_rule(shared, tmp_path):
    data = datasets.build({"kind": "folder", "root": str(shared / "data/dcase2020_clips"), "train_normal": 2})
    machines = data.machine_names("flat", tmp_path)
    assert machines == ["ToyCar", "ToyConveyor", "fan", "pump", "slider", "valve"]
    for machine in machines:
        rows = data.clips_table("flat", tmp_path, machine).to_pylist()
        assert sorted((row["split"], row["label"]) for row in rows) == [
            *[("test", "anomaly")] * 3,
            ("test", "normal"),
            *[("train", "normal")] * 2,
        ]
        assert {row["sample_rate"] for row in rows} == {16000} and not any(row["warnings"] for row in rows)


def test_the_flattened_clips_of_2023(shared, tmp_path):
    data = datasets.build({"kind": "folder", "root": str(shared / "data/dcase2023_clips")})
    machines = data.machine_names("flat", tmp_path)
    assert machines == ["ToyCar", "ToyTrain", "bearing", "fan", "gearbox", "slider", "valve"]
    for machine in machines:
        rows = data.clips_table("flat", tmp_path, machine).to_pylist()
        assert sorted(row["split"] for row in rows) == ["test", "test", "train", "train"]
        assert all(row["domain"] and row["attributes"] for row in rows)
