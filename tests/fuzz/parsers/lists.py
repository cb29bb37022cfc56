"""Lists and names: clips.csv, tables of attributes, file names of DCASE, lists of labels."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from harness import Parser

from asdflow.clips import dcase_names
from asdflow.clips.checks import require_sound_plan
from asdflow.datasets import _clips_csv, _dcase_tree, _mimii_tree
from asdflow.datasets.dcase.labels import read_labels
from asdflow.foundation.errors import AsdflowError

CLIPS = """path,start_s,duration_s,machine,section,domain,split,label,recording,attributes
a.wav,,,fan,00,source,train,normal,monday,load=3;speed=1.5 kHz
"b, c.wav",0.5,2,fan,00,target,train,normal,,
../\u00fc/d.wav,,,fan,00,,test,anomaly,,
"""
ATTRIBUTES = """file_name,d1p,d1v,d2p,d2v
fan/train/section_00_source_train_normal_0000_speed_1.wav,speed,1,load,2
train/section_00_target_train_normal_0001_noAttribute.wav,noAttribute,,,
"""
NAMES = (
    "fan/train/section_00_source_train_normal_0000_car_A1_spd_28V_mic_1.wav",
    "fan/source_test/section_03_target_test_anomaly_0011_noAttribute.flac",
    "fan/test/normal_id_02_00000017.wav",
    "fan/supplemental/section_00_machine_0003_speed_2.wav",
    "gearbox_train_section_00_source_train_normal_0000.wav",
    "6_dB_fan/id_00/abnormal/00000004.wav",
)
LABELS = """fan
section_00_0000.wav,section_00_source_test_normal_0000_speed_1.wav
section_00_0001.wav,section_00_target_anomaly_0035_weight15_BckgF.wav
"""
WORDS = (b",", b";", b'"', b"\n", b"\r", b"\0", b"..", b"/", b"=", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfc")
NAME_WORDS = (b"_", b"section", b"id", b"train", b"test", b"source", b"normal", b"/", b".wav", b"00", b"\n")


def clips_csv(path: Path) -> None:
    machines: dict[str, list] = {}
    for line in _clips_csv.read(path.parent, leave_root=True):
        machines.setdefault(line.machine, []).append(line.clip)
    for machine, rows in machines.items():
        require_sound_plan(machine, rows)


def names(path: Path) -> None:
    lines = path.read_bytes().decode(errors="surrogateescape").split("\n")
    for line in lines:
        dcase_names.understood(line)
        for year in (None, 2020, 2024, 2026):
            with suppress(AsdflowError):
                found = dcase_names.parse_path(line, year)
                again = dcase_names.parse(dcase_names.format(found.name), year)
                assert again.index == found.name.index
    for tree in (_dcase_tree, _mimii_tree):
        with suppress(AsdflowError):
            tree.clips_of(lines, path.parent)


def texts(*contents: str):
    """Function that gives the contents in UTF-8 and UTF-16."""
    return lambda _: [content.encode(code) for content in contents for code in ("utf-8", "utf-16")]


PARSERS = [
    Parser("clips_csv", "clips.csv", texts(CLIPS), clips_csv, WORDS),
    Parser("attributes", "attributes_00.csv", texts(ATTRIBUTES), _dcase_tree.read_attributes, WORDS),
    Parser("labels", "list.csv", texts(LABELS), lambda path: read_labels(path, 2024), (*WORDS, *NAME_WORDS)),
    Parser("dcase_names", "names", lambda _: [name.encode() for name in NAMES], names, NAME_WORDS),
]
