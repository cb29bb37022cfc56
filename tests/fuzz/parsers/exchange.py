"""What other people and services hand in: score files, archives, answers of the records API."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

from harness import Parser, change_json

from asdflow.datasets.dcase import zenodo
from asdflow.datasets.dcase.registry import Limits
from asdflow.datasets.dcase.unpack import unpack
from asdflow.exchange.labelling import clips_of_names
from asdflow.exchange.reading import read_folder

SCORES = """section_00_source_test_normal_0000_speed_1.wav,0.25
section_00_source_test_anomaly_0001.wav,-1e-3
"b, c_normal.WAV",3
"""
NAMES = (
    "fan/train/section_00_source_train_normal_0000.wav",
    "fan/attributes_00.csv",
    "fan/test/l\u00fcfter.wav",
    "__MACOSX/fan/._x.wav",
)
RECORD = {"id": 1, "files": [{"key": "dev_fan.zip", "size": 12, "checksum": "md5:" + 32 * "0"}]}
WORDS = (b",", b'"', b"\n", b"\r", b"\0", b"nan", b"1e999", b".wav", b".WAV", b"\xff\xfe", b"\xfc")
ZIP_WORDS = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"../", b"/", b"\\", b"C:", b"\0")
JSON_WORDS = (b"[" * 100_000, b'{"files":' * 20_000, b"null", b"1e999", b"-1", b'"', b"[]", b"9" * 5000)


def archives(_: Path) -> list[bytes]:
    """Zips as they are published, stored and deflated."""
    found = []
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", packing) as file:
            for name in NAMES:
                file.writestr(name, name.encode() * 20)
        found.append(buffer.getvalue())
    return found


def unpacked(path: Path) -> None:
    """Nothing may appear outside the folder, whatever the names say."""
    inside = path.parent.parent / "unpacked"
    shutil.rmtree(inside, ignore_errors=True)
    before = {each for each in path.parent.parent.rglob("*")}
    try:
        unpack(path, inside / "deep" / "fan", "fan", Limits(1 << 20, 1 << 18, 50))
    finally:
        new = {each for each in path.parent.parent.rglob("*")} - before
        assert all(each == inside or inside in each.parents for each in new), new
        assert not any(each.is_symlink() for each in new)


def scores(path: Path) -> None:
    clips_of_names(read_folder(path.parent))


def record(path: Path) -> None:
    """An answer of the API, as it comes from the network."""
    zenodo.parse_record("http://localhost", path.read_bytes())


PARSERS = [
    Parser(
        "scores",
        "anomaly_score_fan_section_00_test.csv",
        lambda _: [SCORES.encode(code) for code in ("utf-8", "utf-16")],
        scores,
        WORDS,
    ),
    Parser("zip", "dev_fan.zip", archives, unpacked, ZIP_WORDS),
    Parser("record", "1.json", lambda _: [json.dumps(RECORD).encode()], record, JSON_WORDS, change_json),
]
