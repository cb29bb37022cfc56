"""Recordings that are not what they should be: one clear error, or a warning in the table.

Each case is a row of docs/bad-input.md, by name; a row without a test, or a test without a row, fails.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asdflow import datasets
from asdflow.audio import AudioOptions, read_clip
from asdflow.audio.noise import NoiseOptions
from asdflow.foundation.errors import DataError
from asdflow.stages.usable import require_usable

RATE = 8000
HEADER = "path,start_s,duration_s,split,label,domain,recording"
GOOD = {
    "a": "a.wav,,,train,normal,,",
    "b": "b.wav,,,train,normal,,",
    "c": "c.wav,,,test,normal,,",
    "d": "d.wav,,,test,anomaly,,",
}


class Rig:
    """A machine with four good recordings, of which a test spoils one."""

    def __init__(self, base: Path) -> None:
        self.base, self.root = base, base / "rig"
        self.root.mkdir()
        self.random = np.random.default_rng(3)
        self.lines = dict(GOOD)
        for name in GOOD:
            self.write(f"{name}.wav", self.sound())

    def sound(self, samples: int = RATE) -> np.ndarray:
        return self.random.uniform(-0.1, 0.1, samples)

    def write(self, name: str, samples: np.ndarray, rate: int = RATE, subtype: str | None = None) -> Path:
        soundfile.write(self.root / name, samples, rate, subtype=subtype)
        return self.root / name

    def table(self):
        (self.root / "clips.csv").write_text("\n".join([HEADER, *self.lines.values()]) + "\n")
        data = datasets.build({"kind": "folder", "root": "rig"})
        return data.clips_table("mine", self.base, "rig")

    def warnings(self, clip: str) -> list[str]:
        return {row["clip"]: row["warnings"] for row in self.table().to_pylist()}[clip]


@pytest.fixture
def rig(tmp_path) -> Rig:
    return Rig(tmp_path)


def cut(path: Path, keep: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


# -- errors about a file: spoil c.wav (or d), expect the message -----------------------------------------


def missing(rig):
    (rig.root / "c.wav").unlink()


def folder(rig):
    (rig.root / "c.wav").unlink()
    (rig.root / "c.wav").mkdir()


def zero_bytes(rig):
    (rig.root / "c.wav").write_bytes(b"")


def no_samples(rig):
    rig.write("c.wav", np.zeros(0))


def not_audio(rig):
    (rig.root / "c.wav").write_text("This is a letter, not a recording.\n" * 50)


def truncated_wav(rig):
    cut(rig.root / "c.wav", 0.6)


def unfinished_wav(rig):
    path = rig.root / "c.wav"
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = struct.pack("<I", 0)
    path.write_bytes(data)


def truncated_flac(rig):
    cut(rig.write("c.flac", rig.sound(4 * RATE)), 0.5)
    rig.lines["c"] = GOOD["c"].replace("wav", "flac")


def flac_without_length(rig):
    path = rig.write("c.flac", rig.sound())
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # total samples in STREAMINFO: 36 bits from the low half of byte 21
    data[22:26] = b"\0\0\0\0"
    path.write_bytes(data)
    rig.lines["c"] = GOOD["c"].replace("wav", "flac")


def not_a_number(rig, value=np.nan):
    samples = rig.sound()
    samples[4000] = value
    rig.write("c.wav", samples, subtype="FLOAT")


def infinite(rig):
    not_a_number(rig, np.inf)


def outside(rig):
    rig.lines["c"] = "c.wav,0.5,0.75,test,normal,,"


def silent_training(rig):
    rig.write("b.wav", np.full(RATE, 0.25))


FILE_ERRORS: dict[str, tuple[Callable, str]] = {
    "missing file": (missing, r"c\.wav: does not exist\. Restore the file"),
    "folder instead of a file": (folder, r"c\.wav: is a folder, not an audio file\. Name a file"),
    "zero bytes": (zero_bytes, r"c\.wav: is empty \(0 bytes\)\. Copy or download the file again"),
    "no samples": (no_samples, r"c\.wav: holds no samples\. Copy"),
    "not audio": (not_audio, r"c\.wav: is not audio that can be decoded \(Format not recognised\)\. Convert"),
    "truncated wav": (
        truncated_wav,
        r"c\.wav: is cut short: its header announces 16000 bytes of samples, 95\d\d are there\. Rewrite",
    ),
    "unfinished wav": (
        unfinished_wav,
        r"c\.wav: was not finished: its header announces no samples, 16000 bytes follow\. Rewrite.*ffmpeg",
    ),
    "flac without length": (flac_without_length, r"c\.flac: does not tell its length\. Rewrite.*ffmpeg"),
    "truncated flac": (truncated_flac, r"c\.flac: is damaged or cut short: .* announces 4\.000 s.*Copy"),
    "NaN sample": (
        not_a_number,
        r"c\.wav: has a sample that is not a number: nan in channel 0 at 0\.5000 s\. Export",
    ),
    "infinite sample": (
        infinite,
        r"has a sample that is not a number: inf in channel 0 at 0\.5000 s\. Export",
    ),
    "segment outside the file": (
        outside,
        r"c\.wav: has no segment from 0\.5 s to 1\.25 s: it is 1\.0000 s long\. Correct start_s",
    ),
    "silent training clip": (
        silent_training,
        r"b\.wav: is silent: training clip 'b' holds one value, 0\.25, throughout\. Leave it out",
    ),
}


@pytest.mark.parametrize("name", FILE_ERRORS)
def test_a_bad_file_is_one_error_with_file_and_remedy(rig, name):
    spoil, message = FILE_ERRORS[name]
    rig.table()  # sound before it was spoiled
    spoil(rig)
    with pytest.raises(DataError, match=message):
        rig.table()


def test_a_file_that_may_not_be_read_says_so(rig, monkeypatch):
    """Written with a refusal put in, since the superuser may read anything."""
    rig.table()

    def refuse(path, *args, **kwargs):
        if str(path).endswith("c.wav"):
            raise PermissionError(13, "Permission denied", str(path))
        return open(path, *args, **kwargs)

    monkeypatch.setattr("asdflow.audio.files.open", refuse, raising=False)
    with pytest.raises(DataError, match=r"c\.wav: cannot be read \(Permission denied\)\. Correct its permis"):
        rig.table()


def test_all_bad_files_are_listed_in_one_error(rig):
    for index in range(14):
        (rig.root / f"x{index:02d}.wav").write_bytes(b"")
        rig.lines[f"x{index}"] = f"x{index:02d}.wav,,,test,normal,,"
    not_audio(rig)
    with pytest.raises(DataError, match=r"machine rig\): 15 of 18 files cannot be used") as caught:
        rig.table()
    message = str(caught.value)
    listed = [line for line in message.splitlines() if "Copy" in line or "Convert" in line]
    assert len(listed) == 10 and "c.wav: is not audio" in listed[0] and "x08.wav: is empty" in listed[-1]
    assert "and 5 more" in message and message.endswith("then run the same command again.")


@pytest.mark.parametrize("name", sorted(set(FILE_ERRORS) - {"silent training clip"}))
def test_a_file_that_went_bad_after_the_table_was_made_is_an_error_on_reading_too(rig, name):
    spoil, message = FILE_ERRORS[name]
    spoil(rig)
    path, start_s, duration_s, *_ = rig.lines["c"].split(",")
    with pytest.raises(DataError, match=message):
        read_clip(
            rig.root / path,
            RATE,
            start_s=float(start_s or 0),
            duration_s=float(duration_s) if duration_s else None,
        )


# -- errors about a machine ------------------------------------------------------------------------------


def duplicate_names(rig):
    rig.write("a.flac", rig.sound())
    rig.lines["e"] = "a.flac,,,test,normal,,"


def no_bank(rig):
    rig.lines["b"] = GOOD["b"].replace("train", "test")


def anomalous_training(rig):
    rig.lines["b"] = GOOD["b"].replace("normal", "anomaly")


def missing_domain(rig):
    for name, domain in (("a", "source"), ("b", "target")):
        rig.lines[name] = f"{name}.wav,,,train,normal,{domain},"
    rig.write("e.wav", rig.sound())
    rig.lines["e"] = "e.wav,,,train,normal,,"


def wrong_words(rig):
    rig.lines["c"] = GOOD["c"].replace("normal", "abnormal")


MACHINE_ERRORS: dict[str, tuple[Callable, str]] = {
    "duplicate names": (
        duplicate_names,
        r"machine rig\): has 1 clip names more than once, first 'a' \(a\.flac, a\.wav\)\. Give each file",
    ),
    "no bank": (
        no_bank,
        r"section 00: has 1 training clips; leave-one-out scores of the bank need two\. Provide",
    ),
    "anomalous training clip": (
        anomalous_training,
        r"section 00: has 1 anomalous training clips, first 'b'; the bank must be normal\. Give them",
    ),
    "missing domain": (
        missing_domain,
        r"section 00: has 1 of 3 training clips without domain, first 'e'\. Give every training clip",
    ),
    "wrong words in clips.csv": (
        wrong_words,
        r"clips\.csv: has 1 bad lines:\n  line 4: label is 'abnormal'.*did you mean 'anomaly'\?",
    ),
}


@pytest.mark.parametrize("name", MACHINE_ERRORS)
def test_a_machine_that_cannot_be_scored_is_one_error_with_a_remedy(rig, name):
    spoil, message = MACHINE_ERRORS[name]
    rig.table()
    spoil(rig)
    with pytest.raises(DataError, match=message):
        rig.table()


def test_unknown_names_in_a_dcase_tree_are_an_error(rig):
    (rig.root / "fan" / "train").mkdir(parents=True)
    for name in ("section_00_source_train_normal_0000", "section_00_source_train_normal_0001", "test run"):
        (rig.root / "fan" / "train" / f"{name}.wav").write_bytes((rig.root / "a.wav").read_bytes())
    data = datasets.build({"kind": "folder", "root": "rig/fan"})
    with pytest.raises(
        DataError, match=r"fan: has 1 files whose names are not understood:\n  train/test run"
    ):
        data.machine_names("mine", rig.base)


# -- errors that depend on the encoder or the options ----------------------------------------------------


def test_too_short_for_a_frame_is_an_error_before_anything_is_encoded(rig):
    rig.write("c.wav", rig.sound(100))
    with pytest.raises(
        DataError, match=r"c: 0\.013 s long, but yamnet needs 0\.975 s or more\. Leave .*tile_max .*pad10"
    ):
        require_usable(rig.table(), AudioOptions(), 16000, 15600, "yamnet")


def test_a_channel_that_does_not_exist_is_an_error(rig):
    with pytest.raises(DataError, match=r"a\.wav: has no channel 1, it has 1, numbered from 0\. Set audio"):
        require_usable(rig.table(), AudioOptions(channel=1), RATE, 1, "logmel")
    with pytest.raises(DataError, match=r"a\.wav: has no channel 1: it has 1, numbered from 0"):
        read_clip(rig.root / "a.wav", RATE, AudioOptions(channel=1))


def test_noise_on_a_silent_clip_is_an_error(rig):
    rig.write("d.wav", np.zeros(RATE))
    table = rig.table()
    require_usable(table, AudioOptions(), RATE, 1, "logmel")
    with pytest.raises(DataError, match=r"d\.wav: is silent, so noise has no level at an SNR\. Leave it out"):
        require_usable(table, AudioOptions(), RATE, 1, "logmel", noise=True)


def test_a_rate_without_a_usable_ratio_is_an_error(rig):
    path = rig.write("c.wav", rig.sound(), rate=767999)
    with pytest.raises(DataError, match=r"c\.wav: cannot be converted from 767999 Hz to 16000 Hz.*Convert"):
        read_clip(path, 16000)


def test_silent_noise_is_an_error(rig):
    path = rig.write("hum.wav", np.zeros(2 * RATE))
    with pytest.raises(
        DataError, match=r"hum\.wav: is silent from .* s on, so it cannot be mixed.*Take it out"
    ):
        read_clip(rig.root / "a.wav", RATE, noise=NoiseOptions(0.0, "recorded", str(path)), clip_id="a")


def test_noise_recordings_that_do_not_exist_are_an_error(rig):
    noise = NoiseOptions(0.0, "recorded", str(rig.root / "nowhere"))
    with pytest.raises(DataError, match=r"nowhere: does not exist\. Correct noise\.recordings"):
        read_clip(rig.root / "a.wav", RATE, noise=noise, clip_id="a")


OPTION_ERRORS = {
    "too short for a frame": test_too_short_for_a_frame_is_an_error_before_anything_is_encoded,
    "channel that does not exist": test_a_channel_that_does_not_exist_is_an_error,
    "noise on a silent clip": test_noise_on_a_silent_clip_is_an_error,
    "rate without a ratio": test_a_rate_without_a_usable_ratio_is_an_error,
    "silent noise": test_silent_noise_is_an_error,
    "no noise recordings": test_noise_recordings_that_do_not_exist_are_an_error,
}


MIXED = "2 channels: averaged unless audio.channel names one"


# -- warnings: spoil, expect exactly these at that clip --------------------------------------------------


def silent_test(rig):
    rig.write("d.wav", np.zeros(RATE))


def two_channels(rig):
    for name in "abcd":
        rig.write(f"{name}.wav", np.stack([rig.sound(), rig.sound()], axis=1))


def clipped_wider(rig):
    samples = rig.sound()
    samples[10:20] = 1.0
    rig.write("c.wav", samples)
    sixteen_bits, _ = soundfile.read(rig.root / "c.wav")
    rig.write("c.wav", sixteen_bits, subtype="FLOAT")


def clipped_lower(rig):
    samples = 0.5 * rig.sound()
    for place in (100, 200, 300, 400):
        samples[place : place + 4] = 0.25
    rig.write("c.wav", samples)


def silent_channel(rig):
    for name in "abcd":
        right = np.zeros(RATE) if name == "c" else rig.sound()
        rig.write(f"{name}.wav", np.stack([rig.sound(), right], axis=1))


def clipped(rig):
    samples = rig.sound()
    samples[10:20] = 1.0
    rig.write("c.wav", samples)


def beyond(rig):
    samples = rig.sound()
    samples[10] = -3.0
    rig.write("c.wav", samples, subtype="FLOAT")


def quiet(rig):
    rig.write("c.wav", 1e-4 * rig.sound(), subtype="FLOAT")


def offset(rig):
    rig.write("c.wav", 0.5 + rig.sound())


def other_rate(rig):
    rig.write("c.wav", rig.sound(44100), rate=44100)


def stereo(rig):
    rig.write("c.wav", np.stack([rig.sound(), rig.sound()], axis=1))


def copy_in_bank(rig):
    (rig.root / "a.wav").write_bytes((rig.root / "b.wav").read_bytes())


def copy_across(rig):
    (rig.root / "c.wav").write_bytes((rig.root / "a.wav").read_bytes())


def overlapping(rig):
    rig.lines["a"] = "a.wav,0,0.5,train,normal,,"
    rig.lines["c"] = "a.wav,0.25,0.5,test,normal,,c"


def both_sides(rig):
    for name in "bc":
        rig.lines[name] = GOOD[name] + "rig1"


def truncated_ogg(rig):
    cut(rig.write("c.ogg", rig.sound(20 * RATE)), 0.6)
    rig.lines["c"] = GOOD["c"].replace("wav", "ogg")


def one_target(rig):
    rig.write("e.wav", rig.sound())
    for name, split, domain in (
        ("a", "train", "source"),
        ("b", "train", "target"),
        ("c", "test", "source"),
        ("d", "test", "target"),
        ("e", "train", "source"),
    ):
        rig.lines[name] = f"{name}.wav,,,{split},normal,{domain},"


def no_test_domain(rig):
    one_target(rig)
    rig.lines["d"] = GOOD["d"]


WARNINGS: dict[str, tuple[Callable, dict[str, list[str]]]] = {
    "silent test clip": (silent_test, {"d": ["silent: one value throughout"]}),
    "silent channel": (
        silent_channel,
        {clip: [MIXED] for clip in "abd"} | {"c": ["silent channel 1 of 2", MIXED]},
    ),
    "several channels": (two_channels, {clip: [MIXED] for clip in "abcd"}),
    "clipped": (clipped, {"c": ["clipped: 10 samples at full scale (0.12%)"]}),
    "beyond full scale": (beyond, {"c": ["beyond full scale: peak 3"]}),
    "very quiet": (quiet, {"c": ["very quiet: below -80 dBFS"]}),
    "offset": (offset, {"c": ["offset larger than the signal: set audio.remove_dc"]}),
    "wrong rate": (other_rate, {"c": ["44100 Hz, most clips of the machine have 8000"]}),
    "stereo": (stereo, {"c": ["2 channels, most clips of the machine have 1", MIXED]}),
    "clipped in a wider container": (
        clipped_wider,
        {"c": ["clipped: 10 samples at full scale (0.12%)"]},
    ),
    "clipped and turned down": (
        clipped_lower,
        {"c": ["clipped: 16 samples in flat tops (0.20%)"]},
    ),
    "duplicate content": (copy_in_bank, {"a": ["same sound as b"], "b": ["same sound as a"]}),
    "duplicate across splits": (
        copy_across,
        {
            "a": ["same sound as c (training and test share it)"],
            "c": ["same sound as a (training and test share it)"],
        },
    ),
    "overlapping segments": (overlapping, {"a#0.25": ["overlaps a#0 (train)"]}),
    "recording on both sides": (
        both_sides,
        {clip: ["recording rig1 is in training and test"] for clip in "bc"},
    ),
    "truncated ogg": (truncated_ogg, {"c": ["ogg stream without its end: the file may be cut short"]}),
    "one target clip": (one_target, {"b": ["the only target clip of its bank"]}),
    "test clip without domain": (
        no_test_domain,
        {
            "b": ["the only target clip of its bank"],
            "d": ["no domain: counts in neither the source nor the target AUC"],
        },
    ),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_odd_though_usable_is_a_warning_at_its_clip(rig, name):
    spoil, expected = WARNINGS[name]
    spoil(rig)
    found = {row["clip"]: row["warnings"] for row in rig.table().to_pylist() if row["warnings"]}
    assert found == expected


@pytest.mark.parametrize(
    "name", ["silent test clip", "clipped", "beyond full scale", "offset", "stereo", "wrong rate"]
)
def test_a_clip_with_a_warning_can_be_read(rig, name):
    WARNINGS[name][0](rig)
    (clip,) = WARNINGS[name][1]
    waveform = read_clip(rig.root / f"{clip}.wav", 16000, AudioOptions(level="rms", remove_dc=True))
    assert np.isfinite(waveform).all() and len(waveform) == 16000


# -- no faults -------------------------------------------------------------------------------------------


def stream_of_unknown_length(rig):
    path = rig.root / "c.wav"
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = b"\xff" * 4
    path.write_bytes(data)


def rf64(rig):
    soundfile.write(rig.root / "c.wav", rig.sound(), RATE, format="RF64")


@pytest.mark.parametrize("make", [stream_of_unknown_length, rf64])
def test_unusual_headers_are_no_faults(rig, make):
    make(rig)
    (row,) = [row for row in rig.table().to_pylist() if row["clip"] == "c"]
    assert row["warnings"] == [] and row["samples"] == RATE
    assert len(read_clip(rig.root / row["path"], RATE)) == RATE


ELSEWHERE = {  # rows of the page that are tested in files of their own
    "longer than its header": "test_a_recorder_that_lost_power_leaves_a_header_that_announces_too_little",
    "second stream": "test_a_second_stream_behind_an_ogg_file_is_not_left_out",
    "other copies cut short": "test_a_copy_that_broke_off_is_refused",
    "uncheckable container": "test_containers_whose_length_cannot_be_checked_are_refused",
    "pipe or device": "test_a_pipe_is_not_read",
    "dangling link": "test_a_link_that_leads_nowhere_is_called_one",
    "same name in other letters": "test_the_same_words_in_two_spellings_are_named",
    "other sound in a tree": "test_sound_that_cannot_be_read_is_refused",
    "other files in a tree": "test_other_files_are_listed_in_the_log_with_the_reason",
    "link out of the folder": "test_a_link_out_of_the_folder_is_followed_only_when_asked",
    "split as a machine": "test_a_folder_that_means_a_split_is_no_machine",
    "braces in a path": "test_a_file_name_that_cannot_be_an_input_is_refused_with_its_line",
    "control character": "test_a_control_character_in_an_attribute_or_recording_is_refused",
    "too long a name": "test_a_file_name_that_cannot_be_an_input_is_refused_with_its_line",
    "machine or section": "test_a_section_that_cannot_name_score_files_is_refused",
    "text that is not UTF-8": "test_a_list_in_another_encoding_is_refused_with_its_line",
    "damaged vectors": "test_a_truncated_file_is_named",
    "vectors without rows": "test_a_file_without_rows_is_refused",
    "column twice": "test_a_column_twice_is_refused",
    "odd names of vectors": "test_names_follow_the_one_rule",
    "vectors left out": "test_vectors_that_would_be_left_out_are_refused",
    "too many vectors": "test_a_small_file_of_vectors_that_unpacks_to_gigabytes_is_refused",
    "long words of vectors": "test_long_words_are_not_repeated_in_memory",
    "too long for the memory": "test_a_header_of_1_hz_does_not_fill_the_memory",
    "damaged product": "test_flipped_bits_of_every_kind_of_product_are_named_and_mended",
    "another's product": "test_another_machines_file_under_this_ones_name_is_refused",
    "full disk": "test_a_disk_that_fills_up_ends_in_the_same_bytes_once_there_is_room",
    "no memory": "test_a_stage_under_a_limit_of_memory",
    "job killed": "test_a_job_that_the_kernel_kills_is_said_to_have_wanted_memory",
}


# -- the page --------------------------------------------------------------------------------------------


def test_every_fault_stands_in_the_docs_with_its_message_and_no_other(root):
    text = (root / "docs" / "bad-input.md").read_text()
    rows = {
        cells[1].strip(): cells
        for line in text.splitlines()
        if line.startswith("| ") and (cells := line.split("|"))[1].strip() != "Name"
    }
    here = {*FILE_ERRORS, *MACHINE_ERRORS, *OPTION_ERRORS, *WARNINGS, "unreadable file", "unknown names"}
    assert set(rows) == {*here, *ELSEWHERE}
    files = [file for room in ("faults", "workflow") for file in (root / "tests" / room).glob("test_*.py")]
    tests = "".join(path.read_text() for path in files)
    for name, test in ELSEWHERE.items():
        assert f"def {test}(" in tests, name
    for name, (_, expected) in WARNINGS.items():
        (message,) = re.findall(r"`([^`]+)`", rows[name][3])
        assert message in [each for warnings in expected.values() for each in warnings], name
    for name, (_, pattern) in {**FILE_ERRORS, **MACHINE_ERRORS}.items():
        message = re.findall(r"`([^`]+)`", rows[name][3])[0].split(" ...")[0]
        assert message in pattern.replace("\\", ""), name
