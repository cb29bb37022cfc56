"""File names of every year of DCASE Task 2: read, written back, refused."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asdflow.clips.dcase_names import YEARS, ClipName, format, parse, parse_path, understood
from asdflow.foundation.errors import DataError

NAMES = {
    # 2020: development, evaluation
    "normal_id_04_00000172.wav": ClipName("04", "00000172", label="normal", style="id"),
    "anomaly_id_00_00000268.wav": ClipName("00", "00000268", label="anomaly", style="id"),
    "id_01_00000000.wav": ClipName("01", "00000000", style="id"),
    # 2021: an attribute that stands alone; evaluation names tell the domain
    "section_00_source_train_normal_0000_strength_1_ambient.wav": ClipName(
        "00", "0000", "source", "train", "normal", (("strength", "1"), ("ambient", ""))
    ),
    "section_03_source_test_0199.wav": ClipName("03", "0199", "source", "test"),
    "section_03_target_test_anomaly_0004.wav": ClipName("03", "0004", "target", "test", "anomaly"),
    # 2022 and 2023
    "section_02_target_test_normal_0031_vel_1.5_f-n_A.wav": ClipName(
        "02", "0031", "target", "test", "normal", (("vel", "1.5"), ("f-n", "A"))
    ),
    "section_00_0000.wav": ClipName("00", "0000"),
    "section_00_source_train_normal_0000_car_A1_spd_28V_mic_1_noise_1.wav": ClipName(
        "00",
        "0000",
        "source",
        "train",
        "normal",
        (("car", "A1"), ("spd", "28V"), ("mic", "1"), ("noise", "1")),
    ),
    # 2024: hidden attributes, and a list whose names lack "test"
    "section_00_target_train_normal_0990_noAttribute.wav": ClipName(
        "00", "0990", "target", "train", "normal", hidden=True
    ),
    "section_00_source_normal_0035_weight15_BckgF.wav": ClipName(
        "00", "0035", "source", None, "normal", (("weight15", "BckgF"),)
    ),
    # 2025: supplemental clips, with and without a domain
    "section_00_machine_source_0000_noAttribute.wav": ClipName(
        "00", "0000", "source", "supplemental", hidden=True, type="machine"
    ),
    "section_00_noise_0042_car_A1.wav": ClipName(
        "00", "0042", None, "supplemental", attributes=(("car", "A1"),), type="noise"
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_as_they_were_published_are_read(name):
    assert parse(name) == NAMES[name]


@pytest.mark.parametrize("name", NAMES)
def test_names_as_they_were_published_are_written_back(name):
    assert format(parse(name)) == name


def test_folders_and_suffixes_do_not_matter_to_a_name():
    name = "section_00_source_train_normal_0000_vel_0.05"
    expected = parse(name)
    assert expected.attributes == (("vel", "0.05"),)
    for written in (f"{name}.wav", f"{name}.FLAC", f"fan/train/{name}.ogg"):
        assert parse(written) == expected


digits = st.integers(0, 99).map("{:02d}".format)
index = st.integers(0, 99999).map("{:04d}".format)
word = st.text(string.ascii_letters + string.digits + ".-+", min_size=1, max_size=6)
attributes = (
    st.lists(st.tuples(word, word), max_size=4)
    .map(tuple)
    .filter(lambda pairs: pairs != (("noAttribute", ""),))
)
lone = st.builds(
    lambda pairs, last: (*pairs, (last, "")), attributes, word.filter(lambda w: w != "noAttribute")
)
domain = st.sampled_from(["source", "target"])
label = st.sampled_from(["normal", "anomaly"])


def section_names(**parts):
    return st.builds(ClipName, digits, index, **parts)


BY_YEAR = {
    2020: st.builds(
        ClipName,
        digits,
        st.integers(0, 10**8 - 1).map("{:08d}".format),
        label=st.none() | label,
        style=st.just("id"),
    )
}
_described = {"attributes": attributes | lone}
_training = section_names(domain=domain, split=st.just("train"), label=st.just("normal"), **_described)
_testing = section_names(domain=domain, split=st.just("test"), label=label, **_described)
_secret_label = section_names(domain=domain, split=st.just("test"))
_secret = section_names()
_hidden = section_names(
    domain=domain, split=st.sampled_from(["train", "test"]), label=label, hidden=st.just(True)
)
_no_split = section_names(domain=domain, label=label, **_described)
_supplemental = section_names(
    domain=st.none() | domain,
    split=st.just("supplemental"),
    type=st.sampled_from(["machine", "noise", "clean_machine"]),
    **_described,
)
BY_YEAR[2021] = st.one_of(_training, _testing, _secret_label)
BY_YEAR[2022] = BY_YEAR[2023] = st.one_of(_training, _testing, _secret)
BY_YEAR[2024] = st.one_of(_training, _testing, _secret, _hidden, _no_split)
BY_YEAR[2025] = BY_YEAR[2026] = st.one_of(BY_YEAR[2024], _supplemental)


def test_every_year_is_covered():
    assert sorted(BY_YEAR) == list(YEARS)


@pytest.mark.parametrize("year", YEARS)
@given(data=st.data(), suffix=st.sampled_from([".wav", ".flac", ".ogg"]))
def test_every_name_of_a_year_survives_writing_and_reading(year, data, suffix):
    clip = data.draw(BY_YEAR[year])
    name = format(clip, suffix)
    assert parse(name, year) == clip
    assert format(parse(name), suffix) == name


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_clear_error(text):
    try:
        clip = parse(text)
    except DataError as error:
        assert error.remedy
    else:
        assert clip.section.isdigit() and clip.index.isdigit()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("recording7.wav", "is not a DCASE file name.*clips.csv"),
        ("section_00_source_train_normal.wav", "is not a DCASE file name"),
        ("normal_04_00000001.wav", "is not a DCASE file name"),
        ("section_00_sorce_train_normal_0000.wav", r"unknown word 'sorce' .source\?."),
        ("section_00_source_target_0000.wav", "says both 'source' and 'target'"),
    ],
)
def test_a_name_of_no_grammar_is_refused_with_a_remedy(name, message):
    with pytest.raises(DataError, match=message):
        parse(name)


@pytest.mark.parametrize(
    ("name", "year"),
    [
        ("normal_id_00_00000000.wav", 2023),
        ("section_00_source_train_normal_0000.wav", 2020),
        ("section_00_machine_0000.wav", 2024),
        ("section_00_0000.wav", 2019),
    ],
)
def test_a_name_of_another_year_is_refused_where_the_year_is_given(name, year):
    with pytest.raises(DataError, match=str(year)):
        parse(name, year)


@pytest.mark.parametrize(
    ("path", "machine", "folder", "split", "domain"),
    [
        ("fan/train/normal_id_00_00000000.wav", "fan", "train", "train", None),
        ("dev/fan/test/id_00_00000000.wav", "fan", "test", "test", None),
        ("fan/normal_id_00_00000000.wav", "fan", None, None, None),
        ("test/section_00_0000.wav", None, "test", "test", None),
        ("section_00_0000.wav", None, None, None, None),
        ("ToyCar/source_test/section_03_source_test_0001.wav", "ToyCar", "source_test", "test", "source"),
        ("ToyCar/target_test/section_03_0001.wav", "ToyCar", "target_test", "test", "target"),
        (
            "fan/supplemental/section_00_machine_source_0001.wav",
            "fan",
            "supplemental",
            "supplemental",
            "source",
        ),
        ("fan_test_section_00_target_test_normal_0021_m-n_Y.wav", "fan", "test", "test", "target"),
        ("a_b_source_test_section_00_0000.wav", "a_b", "source_test", "test", "source"),
    ],
)
def test_folders_complete_what_a_name_does_not_say(path, machine, folder, split, domain):
    found = parse_path(path)
    assert (found.machine, found.folder) == (machine, folder)
    assert (found.name.split, found.name.domain) == (split, domain)


@pytest.mark.parametrize(
    "path",
    [
        "fan/test/section_00_source_train_normal_0000.wav",
        "fan/train/section_00_machine_0000.wav",
        "fan/source_test/section_00_target_test_normal_0000.wav",
    ],
)
def test_a_name_that_contradicts_its_folder_is_refused(path):
    with pytest.raises(DataError, match="but lies in"):
        parse_path(path)
    assert not understood(path)


def test_the_real_names_of_2020_and_2023_are_read_and_written_back(shared):
    paths = [
        path.relative_to(shared / "data").as_posix()
        for year in ("dcase2020_clips", "dcase2023_clips")
        for path in sorted((shared / "data" / year).rglob("*.wav"))
    ]
    assert len(paths) == 64
    for path in paths:
        found = parse_path(path.split("/", 1)[1])
        assert found.machine in path
        assert path.endswith(format(found.name))
