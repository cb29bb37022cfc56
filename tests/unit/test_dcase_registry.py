"""resources/datasets.yaml: complete, consistent, and refused with the key's name when it is not."""

from __future__ import annotations

import pytest

from asdflow import datasets
from asdflow.datasets.dcase import registry as module
from asdflow.datasets.dcase.entries import PARTS, SUBSETS
from asdflow.datasets.dcase.registry import REGISTRY_FILE, load
from asdflow.foundation.errors import ConfigError

YEARS = range(2020, 2027)
RECORDS = {
    2020: (3678171, 3727685, 3841772),
    2021: (4562016, 4660992, 4884786),
    2022: (6355122, 6462969, 6586456),
    2023: (7882613, 7830345, 7860847),
    2024: (10902294, 11259435, 11363076),
    2025: (15097779, 15392814, 15519362),
    2026: (19336329, 20151556, 20437238),
}
LABELS_SHA256 = {
    2020: "a179d4dde7993a2971044cf5ee00abb306c5016becce372c625e79845673b3bb",
    2021: "137b25ef444295e7626642957a5e9325176fe9f96be1bda53e2be080906ce2a6",
    2022: "9e4510f2ab8a2f53bec0968e0b16b1d99f0e2c77f76c986e59735e9ed2276c4a",
    2023: "705f2d2a8b7afa4e518b29c6ca751e3dfe552c6de35edd28cd85a67b610586ec",
    2024: "af0d0826eb50c7769fe3bd33f16ba6c62c9b87548b1181eecf6f03bc4c72da93",
    2025: "013aa59905d9b2c4bac64d88a7fd6166fa6458f0ffea408b57a761ef886cf265",
}


@pytest.fixture(autouse=True)
def published(monkeypatch):
    monkeypatch.delenv(module.REGISTRY_VARIABLE, raising=False)
    monkeypatch.delenv(module.ZENODO_VARIABLE, raising=False)


@pytest.fixture
def edited(tmp_path):
    """The registry with a piece of its text replaced."""

    def edit(old: str, new: str):
        text = REGISTRY_FILE.read_text(encoding="utf-8")
        assert old in text
        path = tmp_path / "datasets.yaml"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return path

    return edit


@pytest.mark.parametrize("year", YEARS)
def test_records_are_those_the_organisers_name(year):
    facts = load().year(year)
    assert tuple(facts.part(part).record for part in PARTS) == RECORDS[year]


@pytest.mark.parametrize("year", YEARS)
def test_every_year_has_licence_citation_audio_and_page(year):
    facts = load().year(year)
    assert "NC" in facts.licence and facts.citation and facts.page.startswith("https://")
    assert facts.audio.sample_rate == 16000
    assert facts.audio.channels == (2 if year == 2026 else 1)


@pytest.mark.parametrize("year", YEARS)
def test_label_lists_are_pinned_where_the_organisers_have_one(year):
    labels = load().year(year).labels
    assert (labels and labels.sha256) == LABELS_SHA256.get(year)


@pytest.mark.parametrize(
    ("year", "part", "machine", "name"),
    [
        (2020, "development", "fan", "dev_data_fan.zip"),
        (2020, "additional_training", "ToyCar", "eval_data_train_ToyCar.zip"),
        (2020, "evaluation", "ToyCar", "eval_data_test_ToyCar.zip"),
        (2021, "development", "gearbox", "dev_data_gearbox.zip"),
        (2021, "additional_training", "gearbox", "eval_data_gearbox_train.zip"),
        (2022, "development", "bearing", "dev_bearing.zip"),
        (2023, "evaluation", "Vacuum", "eval_data_Vacuum_test.zip"),
        (2024, "additional_training", "3DPrinter", "eval_data_3DPrinter_train_r2.zip"),
        (2024, "additional_training", "RoboticArm", "eval_data_RoboticArm_train_r2.zip"),
        (2024, "additional_training", "Scanner", "eval_data_Scanner_train.zip"),
        (2025, "development", "ToyCar", "dev_ToyCar.zip"),
        (2026, "development", "ToyCar", "dev_ToyCar_r2.zip"),
        (2026, "development", "ToyCarEmu", "dev_ToyCarEmu.zip"),
    ],
)
def test_file_names_with_their_quirks(year, part, machine, name):
    archive = load().archive(year, part, machine)
    assert archive.name == name
    assert (
        archive.urls[0]
        == f"https://zenodo.org/records/{RECORDS[year][PARTS.index(part)]}/files/{name}?download=1"
    )


@pytest.mark.parametrize(
    ("year", "development", "evaluation"),
    [(2020, 6, 6), (2021, 7, 7), (2022, 7, 7), (2023, 7, 7), (2024, 7, 9), (2025, 7, 8), (2026, 7, 5)],
)
def test_number_of_machines(year, development, evaluation):
    facts = load().year(year)
    assert len(facts.machines("development")) == development
    assert len(facts.machines("evaluation")) == evaluation


def test_checksums_are_known_for_2020_and_2023_and_left_to_the_api_for_2024():
    known = {
        year: [
            load().archive(year, part, machine).md5
            for part in PARTS
            for machine in load().year(year).part(part).machines
        ]
        for year in (2020, 2023, 2024)
    }
    for year in (2020, 2023):
        assert None not in known[year] and len(set(known[year])) == len(known[year])
    assert set(known[2024]) == {None}


def test_first_shot_machines_have_1000_training_and_200_test_clips():
    for year in (2023, 2024, 2025):
        for subset, parts in SUBSETS.items():
            for machine in load().year(year).machines(subset):
                total = {"train": 0, "test": 0, "supplemental": 0}
                for part in parts:
                    for count in load().year(year).part(part).counts(machine, "00"):
                        assert count.limits[0] == count.limits[1]
                        total[count.split] += count.limits[0]
                assert total["train"] == 1000 and total["test"] == 200, (year, machine)
                assert total["supplemental"] == (100 if year == 2025 else 0)


def test_three_evaluation_machines_of_2023_are_exceptions():
    counts = load().year(2023).evaluation.counts("grinder", "00")
    found = {(count.domain, count.label): count.clips for count in counts}
    assert found == {
        ("source", "anomaly"): 27,
        ("source", "normal"): 107,
        ("target", "anomaly"): 30,
        ("target", "normal"): 36,
    }


def test_a_count_for_a_section_stands_instead_of_the_general_one():
    counts = {count.kind: count.clips for count in load().year(2020).evaluation.counts("fan", "05")}
    assert counts["test", None, "anomaly"] == 349 and counts["test", None, "normal"] == 109


def test_limits_admit_the_published_clips_and_little_more():
    registry = load()
    for year in YEARS:
        audio = registry.year(year).audio
        for part in PARTS:
            for machine in registry.year(year).part(part).machines:
                limits = registry.archive(year, part, machine).limits
                assert audio.clip_bytes + 44 <= limits.member_bytes <= 10 * audio.clip_bytes
                assert limits.total_bytes < 12e9 and limits.members < 25_000


def test_base_address_can_be_overridden(monkeypatch):
    monkeypatch.setenv(module.ZENODO_VARIABLE, "http://127.0.0.1:9/")
    assert load().archive(2023, "development", "fan").urls == (
        "http://127.0.0.1:9/records/7882613/files/dev_fan.zip?download=1",
        "http://127.0.0.1:9/api/records/7882613/files/dev_fan.zip/content",
    )


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("record: 3678171", 'record: "3678171"', "years.2020.development.record"),
        ("fan: 649bdfc06263ae7a838963f43b6641e6", "fan: 649bdfc", "years.2020.development.md5.fan"),
        ("licence:", "license:", "years.2020"),
        ("fan: 649bdfc06263ae7a838963f43b6641e6", "fann: 649bdfc06263ae7a838963f43b6641e6", "development"),
        ("{min: 400, max: 1100}", "{min: 1100, max: 400}", "clips"),
        ('file: "dev_data_{machine}.zip"', "file: dev_data.zip", "years.2020.development"),
    ],
)
def test_a_broken_registry_names_the_key(edited, old, new, key):
    with pytest.raises(ConfigError, match=r"datasets\.yaml, key") as error:
        load(edited(old, new))
    assert key in str(error.value)


def test_an_absent_registry_says_how_to_name_another(tmp_path):
    with pytest.raises(ConfigError, match="ASDFLOW_DATASETS"):
        load(tmp_path / "none.yaml")


class TestKind:
    """The configuration entry of kind dcase."""

    def test_machines_come_from_the_registry_before_anything_is_downloaded(self, tmp_path):
        data = datasets.build({"kind": "dcase", "year": 2025, "subsets": ["evaluation"]})
        assert data.machine_names("x", tmp_path) == [
            "AutoTrash",
            "BandSealer",
            "CoffeeGrinder",
            "HomeCamera",
            "Polisher",
            "ScrewFeeder",
            "ToyPet",
            "ToyRCCar",
        ]

    def test_both_subsets_are_the_default(self, tmp_path):
        data = datasets.build({"kind": "dcase", "year": 2023})
        assert len(data.machine_names("x", tmp_path)) == 14
        assert data.manifests("fan") == ["data/dcase2023/development/fan.json"]
        assert data.manifests("shaker") == [
            "data/dcase2023/additional_training/shaker.json",
            "data/dcase2023/evaluation/shaker.json",
        ]

    def test_a_machine_of_both_subsets_needs_three_archives(self):
        data = datasets.build({"kind": "dcase", "year": 2021, "machines": ["fan"]})
        assert [archive.part for archive in data.archives("fan")] == list(PARTS)

    @pytest.mark.parametrize("year", YEARS)
    def test_the_report_finds_licence_and_papers(self, year):
        data = datasets.build({"kind": "dcase", "year": year})
        assert data.licence == "CC BY-NC-SA 4.0"
        assert data.citation.count("arXiv:") == len(load().year(year).citation)

    @pytest.mark.parametrize(
        ("year", "name"), [(2020, "official_2020"), (2021, "official_2021"), (2022, "official")]
    )
    def test_a_year_names_its_official_score(self, year, name):
        assert datasets.build({"kind": "dcase", "year": year}).measure == name

    def test_labels_are_needed_for_evaluation_only(self):
        development = datasets.build({"kind": "dcase", "year": 2023, "subsets": ["development"]})
        evaluation = datasets.build({"kind": "dcase", "year": 2023, "subsets": ["evaluation"]})
        unlabelled = datasets.build({"kind": "dcase", "year": 2026, "subsets": ["evaluation"]})
        assert development.label_list() is None and unlabelled.label_list() is None
        assert evaluation.label_list() == "data/dcase2023/labels/eval_data_list_2023.csv"

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ({"year": 2019}, "year"),
            ({"year": 2023, "machines": ["bearings"]}, "Did you mean 'bearing'"),
            (
                {"year": 2023, "subsets": ["development"], "machines": ["shaker"]},
                "not in development of 2023",
            ),
            ({"year": 2023, "subsets": ["test"]}, "subsets"),
            ({"year": 2023, "subsets": []}, "subsets"),
            ({"year": 2023, "keepzip": True}, "keep_zip"),
            ({}, "year"),
        ],
    )
    def test_a_wrong_entry_is_explained(self, spec, message):
        with pytest.raises(ConfigError, match=message):
            datasets.build({"kind": "dcase", **spec})
