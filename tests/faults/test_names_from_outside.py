"""One rule for every name from outside: it can be kept, shown, and made a file, or it is refused."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asdflow import datasets
from asdflow.foundation import names
from asdflow.foundation.errors import AsdflowError, ConfigError, DataError

RATE = 8000


@pytest.fixture
def write(tmp_path):
    """Write recordings and a clips.csv of (path, further cells) lines; gives the clips table."""

    def build(lines: list[str], header: str = "path,split", make: bool = True, **options):
        root = tmp_path / "rig"
        root.mkdir(exist_ok=True)
        random = np.random.default_rng(1)
        for name in ("a.wav", "b.wav"):
            soundfile.write(root / name, random.uniform(-0.1, 0.1, RATE), RATE)
        common = header.count(",") - 1
        bank = [f"{name}.wav,train{',' * common}" for name in "ab"]
        (root / "clips.csv").write_text("\n".join([header, *bank, *lines]) + "\n", encoding="utf-8")
        data = datasets.build({"kind": "folder", "root": "rig", **options})
        return data.clips_table("mine", tmp_path, "rig")

    return build


HOSTILE = {
    "take{1}.wav": r"'take\{1\}\.wav' holds '\{', which Snakemake would replace",
    "<b>.wav": "'<b>.wav' holds '<', which Snakemake would replace",
    "{dataset}.wav": "would replace",
    '"two\nlines.wav"': "holds a line break or control character",
    "x" * 300 + ".wav": r"has a part of 304 bytes, 'x+'\.\.\., at most 255 exist on a disk",
    "\u00e4" * 130 + ".wav": "has a part of 264 bytes",
    "\u202efdp.wav": "holds a line break or control character",
    "/tmp/a.wav": "is absolute",
    "../a.wav": "leads out of the folder of clips.csv.*leave_root",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_name_that_cannot_be_an_input_is_refused_with_its_line(write, name):
    lines = [f"{name},test"]
    with pytest.raises(
        DataError, match=rf"(?s)clips\.csv: has 1 bad lines:\n  line \d: path .*{HOSTILE[name]}"
    ):
        write(lines)


HARMLESS = [
    "ein Z\u00fcg.wav",
    "\u65e5\u672c.wav",
    "a'b$HOME&%s;`x`.wav",
    "[1].wav",
    "a=b,c.wav",
    "-x.wav",
    "*.wav",
    "#1.wav",
]


def test_names_that_only_look_dangerous_are_used(write, tmp_path):
    (tmp_path / "rig").mkdir()
    for number, name in enumerate(HARMLESS):
        sound = np.random.default_rng(number).uniform(-0.1, 0.1, RATE)
        soundfile.write(tmp_path / "rig" / name, sound, RATE, format="WAV")
    table = write([f'"{name}",test' for name in HARMLESS])
    assert {name.removesuffix(".wav") for name in HARMLESS} < set(table.column("clip").to_pylist())


SECTIONS = {
    "unit 1": "e.g. 'unit_1'",
    "line/2": "e.g. 'line_2'",
    "../../x": "may hold letters, digits",
    "\u00fc": "e.g. 'u'",
    ".hidden": "not begin with a dot",
    "a_test": "holds the word 'test', which separates machine, section and domain in score files",
    "a_id_b": "holds the word 'id'",
    "id_1": "holds the word 'id'",  # `..._section_id_1_test.csv` would be section 1
    "00_test_2": "holds the word 'test'",  # a second copy of the file of section 00
    "s" * 101: "has 101 letters, at most 100",
}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_that_cannot_name_score_files_is_refused(write, section):
    lines = [f"a.wav,test,{section}"]
    with pytest.raises(DataError, match=f"line 4: section .*{SECTIONS[section]}"):
        write(lines, header="path,split,section")


@pytest.mark.parametrize("section", ["00", "A-1", "unit_1", "1.5", "-6_dB", "left+right"])
def test_a_section_that_can_is_a_part_of_the_names_of_score_files(section):
    assert names.odd_section(section) == ""


@pytest.mark.parametrize("name", ["fan", "6_dB_fan", "-6_dB_fan", "Toy.Car", "x" * 100])
def test_names_of_machines_that_exist_are_good(name):
    assert names.odd_name(name) == ""


@pytest.mark.parametrize("name", ["", ".", "..", ".fan", "a b", "a/b", "a\\b", "a\n", "caf\u00e9", "x" * 101])
def test_names_that_are_no_file_names_everywhere_are_not(name):
    assert names.odd_name(name)


def test_the_same_words_in_two_spellings_are_named(write, tmp_path):
    """NFC in the list, NFD on the disk: what a list typed on one system and a copy from another give."""
    composed, decomposed = (unicodedata.normalize(form, "M\u00fchle.wav") for form in ("NFC", "NFD"))
    (tmp_path / "rig").mkdir()
    soundfile.write(tmp_path / "rig" / decomposed, np.random.default_rng(2).uniform(-0.1, 0.1, RATE), RATE)
    with pytest.raises(DataError, match=r"looks the same as .*decomposed \(NFD\) letters\. Write the name"):
        write([f"{composed},test"])
    found = write([f"{decomposed},test"]).column("clip").to_pylist()
    assert decomposed.removesuffix(".wav") in found


def test_two_clips_whose_names_look_the_same_are_refused(write, tmp_path):
    both = [unicodedata.normalize(form, "\u00fc.wav") for form in ("NFC", "NFD")]
    (tmp_path / "rig").mkdir()
    for number, name in enumerate(both):
        sound = np.random.default_rng(number).uniform(-0.1, 0.1, RATE)
        soundfile.write(tmp_path / "rig" / name, sound, RATE)
    with pytest.raises(DataError, match="has 1 clip names more than once"):
        write([f"{name},test" for name in both])


def test_a_control_character_in_an_attribute_or_recording_is_refused(write):
    for cells in ("a.wav,test,x\x07y,", "a.wav,test,,load=\x1b[31m"):
        with pytest.raises(DataError, match=r"line 4: (recording|attributes) .*control character"):
            write([cells], header="path,split,recording,attributes")


def test_names_in_a_tree_are_held_to_the_same_rule(tmp_path):
    folder = tmp_path / "data" / "fan{1}" / "train"
    folder.mkdir(parents=True)
    (folder / "section_00_source_train_normal_0000.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"'fan\{1\}/train/section.* holds '\{'"):
        datasets.build({"kind": "folder", "root": "data"}).machine_names("mine", tmp_path)


def test_a_name_that_is_no_utf_8_is_refused(tmp_path):
    folder = tmp_path / "data" / "fan" / "train"
    folder.mkdir(parents=True)
    (Path(bytes(folder).decode()) / "section_00_source_train_normal_0000_x_\udcfc.wav").write_bytes(b"")
    with pytest.raises(DataError, match="is not valid UTF-8"):
        datasets.build({"kind": "folder", "root": "data"}).machine_names("mine", tmp_path)


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "folder", "root": "data/{x}"},
        {"kind": "folder", "root": "data", "noise": {"snr_db": 0, "color": "recorded", "recordings": "<n>"}},
        {"kind": "dcase", "year": 2023, "data_dir": "/data/{machine}"},
        {"kind": "dcase", "year": 2023, "store": "{store}"},
    ],
)
def test_paths_of_an_entry_are_held_to_the_same_rule(spec):
    with pytest.raises(AsdflowError, match="which Snakemake would replace"):
        datasets.build(spec)


def test_a_folder_that_snakemake_cannot_run_in_is_named():
    with pytest.raises(ConfigError, match=r"the clone '/a/\{b\}': holds '\{'.*Move it"):
        names.require_path("/a/{b}", "the clone", "Move it.")


@pytest.mark.parametrize("word", ["Train", "TEST", "training", "Eval", "evaluation", "Source_Test"])
def test_a_folder_that_means_a_split_is_no_machine(tmp_path, word):
    folder = tmp_path / "data" / "fan" / word
    folder.mkdir(parents=True)
    (folder / "section_00_source_train_normal_0000.wav").write_bytes(b"")
    meant = {"training": "train", "eval": "test", "evaluation": "test"}.get(word.lower(), word.lower())
    with pytest.raises(DataError, match=f"lies in '{word}', which is no machine; call the folder '{meant}'"):
        datasets.build({"kind": "folder", "root": "data"}).machine_names("mine", tmp_path)
