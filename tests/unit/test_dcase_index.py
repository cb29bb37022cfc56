"""Labels of every form, and the index on real names and files."""

from __future__ import annotations

import os

import pytest

from asdflow.datasets.dcase import own
from asdflow.datasets.dcase import registry as registry_module
from asdflow.datasets.dcase.entries import PARTS
from asdflow.datasets.dcase.index import index
from asdflow.datasets.dcase.labels import read_labels
from asdflow.datasets.dcase.registry import Registry, load
from asdflow.foundation.errors import DataError


@pytest.fixture
def listed(tmp_path):
    def write(text: str):
        path = tmp_path / "eval_data_list.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


class TestLabels:
    @pytest.mark.parametrize(
        ("year", "line", "domain", "label", "attributes"),
        [
            (2020, "id_01_00000000.wav,normal_id_01_00000098.wav,0", None, "normal", {}),
            (2020, "id_01_00000000.wav,id_01_00000000.wav,1", None, "anomaly", {}),
            (2020, "id_01_00000000.wav,recording 17,1", None, "anomaly", {}),
            (
                2021,
                "section_03_source_test_0000.wav,section_03_source_test_anomaly_0000.wav",
                "source",
                "anomaly",
                {},
            ),
            (
                2022,
                "section_04_0000.wav,section_04_target_test_anomaly_0000_vel_8_loc_H.wav",
                "target",
                "anomaly",
                {"vel": "8", "loc": "H"},
            ),
            (
                2024,
                "section_00_0001.wav,section_00_source_normal_0035_weight_15.wav",
                "source",
                "normal",
                {"weight": "15"},
            ),
            (
                2025,
                "section_00_0001.wav,section_00_target_test_normal_0001_noAttribute.wav",
                "target",
                "normal",
                {},
            ),
        ],
    )
    def test_every_year_is_understood(self, listed, year, line, domain, label, attributes):
        ((short, name),) = read_labels(listed(f"fan\n{line}\n"), year)["fan"].items()
        assert short == line.split(",")[0]
        assert (name.domain, name.label, dict(name.attributes)) == (domain, label, attributes)

    def test_machines_and_odd_line_ends_are_told_apart(self, listed):
        clip = "section_00_{0}.wav,section_00_source_test_normal_{0}.wav"
        text = "\ufefffan\r\n" + clip.format("0000") + "\r\n\r\nvalve\r\n" + clip.format("0000") + "\r\n"
        assert {name: list(clips) for name, clips in read_labels(listed(text), 2023).items()} == {
            "fan": ["section_00_0000.wav"],
            "valve": ["section_00_0000.wav"],
        }

    @pytest.mark.parametrize(
        ("year", "text", "words"),
        [
            (2023, "section_00_0000.wav,section_00_source_test_normal_0000.wav", "before any machine"),
            (2023, "fan\nsection_00_0000.wav,section_00_0000.wav", "has no label"),
            (2023, "fan\nsection_00_0000.wav,section_01_source_test_normal_0000.wav", "different sections"),
            (2023, "fan\nsection_00_0000.wav,whatever", "no file name of 2023"),
            (2023, "fan\na,b,c,d", "4 fields"),
            (2020, "fan\nid_01_00000000.wav,normal_id_01_00000098.wav,1", "says normal and 1"),
            (2020, "fan\nid_01_00000000.wav,normal_id_01_00000098.wav,2", "expected 0 or 1"),
            (2020, "fan\nid_01_00000000.wav,normal_id_01_00000098.wav", None),
        ],
    )
    def test_what_is_wrong_is_named_with_its_line(self, listed, year, text, words):
        path = listed(text + "\n")
        if words is None:
            assert read_labels(path, year)["fan"]["id_01_00000000.wav"].label == "normal"
            return
        with pytest.raises(DataError, match=rf"line {text.count(chr(10)) + 1}: .*{words}"):
            read_labels(path, year)

    def test_a_clip_that_is_listed_twice_is_an_error(self, listed):
        line = "section_00_0000.wav,section_00_source_test_normal_0000.wav\n"
        with pytest.raises(DataError, match="line 3: repeats"):
            read_labels(listed("fan\n" + line * 2), 2023)


@pytest.fixture
def any_count(monkeypatch) -> Registry:
    """The published registry, with any number of clips allowed."""
    monkeypatch.delenv(registry_module.REGISTRY_VARIABLE, raising=False)
    content = load().model_dump()
    for facts in content["years"].values():
        for part in PARTS:
            for count in facts[part]["clips"]:
                count["clips"] = {"min": 0, "max": 10_000}
    return Registry.model_validate(content)


def test_real_clips_of_2023_are_indexed_and_are_as_the_registry_says(shared, any_count, tmp_path):
    clips = sorted((shared / "data" / "dcase2023_clips").glob("*.wav"))
    for clip in clips:
        machine, split, name = clip.name.split("_", 2)
        folder = tmp_path / "development" / machine / split
        folder.mkdir(parents=True, exist_ok=True)
        os.symlink(clip, folder / name)
    rows = []
    for machine in any_count.year(2023).machines("development"):
        archive = any_count.archive(2023, "development", machine)
        folder = tmp_path / "development" / machine
        own.require_published_audio(folder, archive, any_count.year(2023).audio)
        assert max(path.stat().st_size for path in folder.rglob("*.wav")) < archive.limits.member_bytes
        rows += index(any_count, tmp_path, 2023, ("development",), machine, None)
    assert len(rows) == len(clips) == 28
    assert {(row.split, row.label) for row in rows} == {
        ("train", "normal"),
        ("test", "normal"),
        ("test", "anomaly"),
    }
    name = "fan/train/section_00_source_train_normal_0040_m-n_X.wav"
    assert next(row for row in rows if row.path.endswith(name)).attributes == {"m-n": "X"}


def test_real_clips_of_2020_are_indexed_and_are_as_the_registry_says(shared, any_count, tmp_path):
    for folder in sorted((shared / "data" / "dcase2020_clips").iterdir()):
        (tmp_path / "development" / folder.name).mkdir(parents=True)
        os.symlink(folder, tmp_path / "development" / folder.name / "test")
    rows = []
    for machine in any_count.year(2020).machines("development"):
        archive = any_count.archive(2020, "development", machine)
        own.require_published_audio(tmp_path / "development" / machine, archive, any_count.year(2020).audio)
        rows += index(any_count, tmp_path, 2020, ("development",), machine, None)
    assert len(rows) == 36 and sum(row.label == "anomaly" for row in rows) == 18
