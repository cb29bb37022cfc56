"""Score folders as people hand them in: every line counts once, or one error names the file and the line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from asdflow.exchange import evaluate_folder, read_folder, write_system
from asdflow.foundation.errors import AsdflowError, DataError

GOOD = "anomaly_score_fan_section_00_test.csv"
NAMES = [f"section_00_source_test_{label}_{i:04d}" for i in range(4) for label in ("normal", "anomaly")]
LINES = "".join(f"{name}.wav,{number}\n" for number, name in enumerate(NAMES))


@pytest.fixture
def system(tmp_path) -> Path:
    """The folder of one good system, below a folder of systems."""
    (tmp_path / "in" / "knn").mkdir(parents=True)
    (tmp_path / "in" / "knn" / GOOD).write_text(LINES)
    return tmp_path / "in" / "knn"


def score(folder: Path) -> float:
    (only,) = evaluate_folder(folder, rounds=40).scores.values()
    return only.overall


class TestOneClipInTwoSpellings:
    @pytest.mark.parametrize("other", [NAMES[3], f"{NAMES[3]}.WAV", f"{NAMES[3]}.flac"])
    def test_is_refused_with_both(self, system, other):
        (system / GOOD).write_text(f"{LINES}{other},99\n")
        with pytest.raises(DataError, match=rf"line 9: names '{other}' and '{NAMES[3]}.wav', which are one"):
            read_folder(system.parent)

    def test_counts_once_over_the_files_of_two_domains(self, system):
        (system / GOOD).unlink()
        for domain in ("source", "target"):
            (system / f"anomaly_score_fan_section_00_{domain}_test.csv").write_text("x.wav,1\n")
        with pytest.raises(DataError, match=r"target_test\.csv, line 1: names 'x\.wav' twice"):
            read_folder(system.parent)

    def test_composed_and_decomposed_letters_are_one(self, system):
        (system / GOOD).write_text("lu\u0308fter.wav,1\nl\u00fcfter.wav,2\n")
        with pytest.raises(DataError, match="which are one clip"):
            read_folder(system.parent)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("", "is empty"),
        ("a\x07.wav", "control character"),
        ("/data/fan/test/x.wav", r"is a path, expected 'x\.wav'"),
        ("C:\\fan\\x.wav", r"is a path, expected 'x\.wav'"),
        ("../x.wav", "is a path"),
        ("0.25", "is a number, expected a file name"),
    ],
)
def test_the_name_field_is_a_file_name(system, field, words):
    (system / GOOD).write_text(f"{field},1\n")
    with pytest.raises(DataError, match=rf"line 1: .*{words}"):
        read_folder(system.parent)


@pytest.mark.parametrize("text", ["1_000", "0x10", "1,5", "inf", "", "1;2"])
def test_the_number_field_is_a_number(system, text):
    (system / GOOD).write_text(f"x.wav,{text}\n")
    with pytest.raises(DataError, match="line 1"):
        read_folder(system.parent)


class TestFilesThatNearlyFit:
    @pytest.mark.parametrize(
        "name",
        [
            "anomaly_score_pump_section_00_test (1).csv",
            "anomaly_score_pump_section_00_test_copy.csv",
            "anomaly_score_pump_section_00_test_seed13.csv",
            "anomaly_score_pump_test.csv",
            "anomaly_score_pump_section_00_test.CSV",
            "Anomaly_Score_pump_section_00_test.csv",
            "anomaly_score_pump_section_00_test.csv.txt",
            "decision_result_pump.csv",
        ],
    )
    def test_are_refused_and_listed(self, system, name):
        (system / name).write_text(LINES)
        with pytest.raises(DataError) as error:
            read_folder(system.parent)
        assert f"knn/{name}" in str(error.value)
        assert "called nearly like score files" in str(error.value)

    def test_other_tables_are_listed_and_leave_the_scores_as_they_are(self, system, caplog):
        plain = score(system.parent)
        (system / "notes.csv").write_text("anything\n")
        (system / "readme.txt").write_text("anything\n")
        assert score(system.parent) == plain
        assert "left out: knn/notes.csv" in caplog.text

    def test_a_link_to_a_folder_is_said_and_not_followed(self, system, tmp_path, caplog):
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / GOOD).write_text(LINES)
        (system.parent / "linked").symlink_to(tmp_path / "elsewhere")
        assert list(read_folder(system.parent)) == ["knn"]
        assert "linked: is a link to a folder" in caplog.text


@pytest.mark.parametrize(
    "place",
    [".ipynb_checkpoints", "__MACOSX/knn", ".git", "knn/.hidden", ".Trash/knn"],
)
def test_hidden_folders_are_no_systems(system, place):
    folder = system.parent / place
    folder.mkdir(parents=True)
    (folder / GOOD).write_text("spoiled\n")
    assert list(read_folder(system.parent)) == ["knn"]


@pytest.mark.parametrize("name", [f"._{GOOD}", f".{GOOD}.swp", ".DS_Store"])
def test_hidden_files_are_no_score_files(system, name):
    (system / name).write_bytes(b"\x00\x05\x16\x07")
    assert list(read_folder(system.parent)["knn"].scores) == [("fan", "00")]


class TestOfMachines:
    def test_only_the_files_of_the_chosen_machines_are_looked_at(self, system):
        plain = score(system.parent)
        (system / "anomaly_score_pump_section_00_test.csv").write_text("section_00_0001.wav,1\n")
        (system / "anomaly_score_valve_section_00_test.csv").write_text("no scores\n")
        found = evaluate_folder(system.parent, machines=["fan"], rounds=40)
        assert found.scores["knn"].overall == plain

    def test_a_machine_that_nobody_scores_is_named_with_those_there_are(self, system):
        with pytest.raises(DataError, match=r"machine 'pump': has no score file in .*There are: fan"):
            evaluate_folder(system.parent, machines=["pump"], rounds=40)


class TestLabels:
    def test_a_name_with_both_words_is_refused_outside_the_grammar(self, system):
        (system / GOOD).write_text("normal_speed_anomaly_01.wav,1\nnormal_02.wav,2\n")
        with pytest.raises(DataError, match=r"fan/normal_speed_anomaly_01\.wav: says both anomaly and"):
            evaluate_folder(system.parent, rounds=40)

    def test_an_attribute_does_not_decide_a_label(self, system):
        lines = LINES.replace(".wav", "_state_normal.wav")
        plain = score(system.parent)
        (system / GOOD).write_text(lines)
        assert score(system.parent) == plain

    def test_two_systems_that_disagree_on_a_domain_are_refused(self, system):
        (system / GOOD).unlink()
        for name, domain in (("knn", "source"), ("lof", "target")):
            folder = system.parent / name
            folder.mkdir(exist_ok=True)
            file = folder / f"anomaly_score_fan_section_00_{domain}_test.csv"
            file.write_text("normal_1.wav,1\nanomaly_1.wav,2\n")
        with pytest.raises(DataError, match="is of the source domain by one name, of the target domain by"):
            evaluate_folder(system.parent, rounds=40)


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
    def test_known_ones_give_the_same_scores(self, system, encoding):
        plain = score(system.parent)
        (system / GOOD).write_bytes(LINES.encode(encoding))
        assert score(system.parent) == plain

    @pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le"])
    def test_others_are_named_with_what_to_save_as(self, system, encoding):
        (system / GOOD).write_bytes("l\u00fcfter_normal.wav,1\n".encode(encoding))
        with pytest.raises(DataError, match=rf"{GOOD}, line 1.*UTF-8"):
            read_folder(system.parent)


def product(section: str, machine: str = "fan", clip: str = "{}") -> pa.Table:
    """Scores (schema "scores") of a section: eight training clips and the test clips of NAMES."""
    clips = [f"train_{i}" for i in range(8)] + [clip.format(name) for name in NAMES]
    split = ["train"] * 8 + ["test"] * len(NAMES)
    numbers = np.random.default_rng(1).normal(size=len(clips))
    same = {"machine": [machine] * len(clips), "section": [section] * len(clips)}
    return pa.table(same | {"split": split, "clip": clips, "score": numbers})


class TestNamesOnTheWayOutAndBack:
    @pytest.mark.parametrize("section", ["00", "A-1", "unit_1", "v1.2", "T0", "ident", "7_b"])
    def test_a_section_survives_export_and_evaluate(self, tmp_path, section):
        write_system(tmp_path / "out", product(section))
        submission = read_folder(tmp_path)["out"]
        assert list(submission.scores) == list(submission.decisions) == [("fan", section)]
        assert set(submission.scores["fan", section]) == {f"{name}.wav" for name in NAMES}

    @pytest.mark.parametrize(
        "section",
        [
            "../../x",
            "line/2",
            "unit 1",
            "",
            ".",
            "..",
            "/etc/x",
            "a\\b",
            "id_1",
            "00_test",
            "x_source",
            "a\n",
        ],
    )
    def test_another_is_refused_and_nothing_is_written(self, tmp_path, section):
        with pytest.raises(AsdflowError, match="section"):
            write_system(tmp_path / "deep" / "out", product(section))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("machine", ["../fan", "a/b", "", "fan\x00"])
    def test_so_is_a_machine(self, tmp_path, machine):
        with pytest.raises(DataError, match="machine"):
            write_system(tmp_path / "deep" / "out", product("00", machine))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("clip", ["{}\n", "{}\x1b"])
    def test_so_is_a_clip_that_would_not_be_one_line(self, tmp_path, clip):
        with pytest.raises(DataError, match="line break or control character"):
            write_system(tmp_path / "out", product("00", clip=clip))
        assert list(tmp_path.iterdir()) == []

    def test_commas_and_quotes_of_a_clip_survive(self, tmp_path):
        write_system(tmp_path / "out", product("00", clip='{},"a"'))
        (rows,) = read_folder(tmp_path)["out"].scores.values()
        assert set(rows) == {f'{name},"a".wav' for name in NAMES}


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs to mount a small disk")
def test_a_full_disk_leaves_whole_files_only(tmp_path):
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "none", disk], capture_output=True
    ).returncode:
        pytest.skip("no right to mount")
    try:
        with pytest.raises(AsdflowError, match=r"the disk is full\. Free space and run the same command"):
            for section in range(20):
                write_system(disk / "out", product(f"{section:02d}"))
        files = [file for file in disk.rglob("*") if file.is_file()]
        assert all(not file.name.startswith(".") for file in files)
        for file in disk.rglob("*.csv"):
            assert len(file.read_text().splitlines()) == len(NAMES)
    finally:
        subprocess.run(["umount", disk], check=True)
