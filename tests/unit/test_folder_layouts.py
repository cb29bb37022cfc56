"""The kind `folder`: which clips a tree of recordings means, by table, DCASE names or MIMII names."""

from __future__ import annotations

from pathlib import Path

import pytest

from asdflow import datasets
from asdflow.clips.rows import ClipRow
from asdflow.foundation.errors import ConfigError, DataError


def touch(root: Path, *paths: str) -> Path:
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    return root


def folder(**options):
    return datasets.build({"kind": "folder", "root": "data", **options})


def rows(data, base, machine):
    return {row.clip: row for row in data.clip_rows("mine", base, machine)}


@pytest.fixture
def table(tmp_path):
    """Write clips.csv in tmp_path/data."""

    def write(text: str) -> Path:
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "clips.csv").write_text(text, encoding="utf-8")
        return tmp_path

    return write


# -- clips.csv -------------------------------------------------------------------------------------------


def test_every_column_of_clips_csv_reaches_the_clip(table):
    base = table(
        "path,start_s,duration_s,machine,section,domain,split,label,recording,attributes\n"
        "day1/a.wav,1.5,2,pump,03,target,test,anomaly,day1,load=3;speed=1.5 kHz\n"
    )
    data = folder()
    assert data.machine_names("mine", base) == ["pump"]
    (row,) = data.clip_rows("mine", base, "pump")
    assert row == ClipRow(
        "day1/a.wav", "03", "test", 1.5, 2.0, "target", "anomaly", "day1", {"load": "3", "speed": "1.5 kHz"}
    )
    assert row.clip == "day1/a#1.5"


def test_columns_that_are_left_out_have_the_documented_defaults(table):
    base = table("path,split\na.wav,train\nb.wav,test\n")
    data = folder()
    assert data.machine_names("mine", base) == ["data"]  # the folder's name
    found = rows(data, base, "data")
    train, test = found["a"], found["b"]
    assert (train.start_s, train.duration_s, train.section, train.domain) == (0.0, None, "00", None)
    assert (train.recording, dict(train.attributes)) == ("a", {})
    assert (train.label, test.label) == (
        "normal",
        None,
    )  # a bank is normal by definition, a test clip unknown


def test_segments_of_one_file_share_a_recording_and_have_names_of_their_own(table):
    base = table("path,split,start_s,duration_s\na.wav,train,0,2\na.wav,train,2,2\na.wav,test,12345.678,\n")
    found = rows(folder(), base, "data")
    assert list(found) == ["a#0", "a#2", "a#12345.678"]
    assert {row.recording for row in found.values()} == {"a"}


def test_a_byte_order_mark_blank_lines_and_quotes_do_not_matter(table):
    base = table('\ufeffpath,split,attributes\n\n"a, b.wav",train,"x=1;y=2"\n,,\n')
    (row,) = rows(folder(), base, "data").values()
    assert row.path == "a, b.wav" and dict(row.attributes) == {"x": "1", "y": "2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,split,lable\na.wav,train,normal\n", r"column 'lable': is not known\. Did you mean 'label'\?"),
        ("path;split\na.wav;train\n", r"separated by semicolons"),
        ("file,split\na.wav,train\n", r"column 'file': is not known"),
        ("split\ntrain\n", r"has no column 'path'"),
        ("path,split,split\na.wav,train,train\n", r"column 'split': stands there twice"),
        ("path,split\n", r"lists no clips"),
        ("", r"has no column 'path'"),
        ("path,split\na.wav\n", r"line 2: has 1 cells, the header has 2"),
        ("path,split\na.wav,training\n", r"line 2: split is 'training'.*did you mean 'train'\?"),
        ("path,split\na.wav,\n", r"line 2: has no split"),
        ("path,split,label\na.wav,test,anomalous\n", r"label is 'anomalous'.*did you mean 'anomaly'\?"),
        ("path,split,domain\na.wav,test,sorce\n", r"domain is 'sorce'.*did you mean 'source'\?"),
        ('path,split,start_s\na.wav,test,"1,5"\n', r"start_s is '1,5', must be seconds"),
        ("path,split,start_s\na.wav,test,-1\n", r"start_s is -1, must be at least 0 s"),
        ("path,split,duration_s\na.wav,test,0\n", r"duration_s is 0, must be above 0 s"),
        ("path,split,duration_s\na.wav,test,nan\n", r"duration_s is nan"),
        ("path,split\n../a.wav,test\n", r"path '\.\./a\.wav' leads out of the folder"),
        ("path,split\n/tmp/a.wav,test\n", r"path '/tmp/a\.wav' is absolute"),
        ("path,split\nday\\a.wav,test\n", r"write / between folders"),
        ("path,split\n,test\n", r"line 2: has no path"),
        ("path,split,attributes\na.wav,test,load 3\n", r"attributes hold 'load 3', must be name=value"),
        ("path,split,attributes\na.wav,test,a=1;a=2\n", r"attributes name 'a' twice"),
        ("path,split,machine\na.wav,test,my pump\n", r"machine name 'my pump', which cannot name a file"),
        ('path,split\n"a.wav,test\n', r"line \d: is not CSV"),
    ],
)
def test_what_is_wrong_with_clips_csv_is_named(table, text, message):
    base = table(text)
    with pytest.raises(DataError, match=message) as caught:
        folder(layout="clips_csv").machine_names("mine", base)
    assert "clips.csv" in str(caught.value)


def test_bad_lines_are_listed_together(table):
    base = table("path,split\n" + "a.wav,oops\n" * 12)
    with pytest.raises(DataError, match=r"has 12 bad lines") as caught:
        folder().machine_names("mine", base)
    message = str(caught.value)
    assert "line 2:" in message and "line 11:" in message and "and 2 more" in message


def test_a_split_is_never_guessed(table):
    base = table("path,label\na.wav,normal\nb.wav,anomaly\n")
    with pytest.raises(DataError, match=r"does not say of 2 clips whether they train.*train_normal"):
        folder().machine_names("mine", base)


def test_clips_csv_depends_on_itself_and_on_the_files_that_are_there(table):
    base = table("path,machine,split\na.wav,m,train\nb.wav,m,train\nc.wav,n,train\n")
    touch(base / "data", "a.wav", "c.wav", "unlisted.wav")
    assert folder().source_files("mine", base, "m") == ["data/clips.csv", "data/a.wav"]


def test_a_changed_table_is_read_again(table):
    base = table("path,split\na.wav,train\n")
    data = folder()
    assert list(rows(data, base, "data")) == ["a"]
    table("path,split\na.wav,train\nbb.wav,train\n")
    assert list(rows(data, base, "data")) == ["a", "bb"]


# -- DCASE names -----------------------------------------------------------------------------------------


@pytest.fixture
def dcase(tmp_path):
    touch(
        tmp_path / "data",
        "fan/train/section_00_source_train_normal_0000_m-n_X.wav",
        "fan/train/section_00_target_train_normal_0001_noAttribute.flac",
        "fan/test/section_00_source_test_anomaly_0000_m-n_X.wav",
        "fan/test/section_00_0001.wav",
        "fan/supplemental/section_00_machine_source_0000_noAttribute.wav",
        "valve/train/section_01_source_train_normal_0000.wav",
        "valve/.hidden/section_01_source_train_normal_0000.wav",
        "._section_01_source_train_normal_0000.wav",
    )
    return tmp_path


def test_a_dcase_tree_is_recognised_and_read(dcase):
    data = folder()
    assert data.machine_names("mine", dcase) == ["fan", "valve"]
    found = rows(data, dcase, "fan")
    said = {
        Path(clip).name: (row.split, row.domain, row.label, dict(row.attributes))
        for clip, row in found.items()
    }
    assert said == {
        "section_00_source_train_normal_0000_m-n_X": ("train", "source", "normal", {"m-n": "X"}),
        "section_00_target_train_normal_0001_noAttribute": ("train", "target", "normal", {}),
        "section_00_source_test_anomaly_0000_m-n_X": ("test", "source", "anomaly", {"m-n": "X"}),
        "section_00_0001": ("test", None, None, {}),
        "section_00_machine_source_0000_noAttribute": ("supplemental", "source", None, {"type": "machine"}),
    }
    assert [row.section for row in rows(data, dcase, "valve").values()] == ["01"]


def test_attributes_come_from_the_table_where_it_lists_the_clip(dcase):
    (dcase / "data" / "fan" / "attributes_00.csv").write_text(
        "file_name,d1p,d1v,d2p,d2v\n"
        "fan/train/section_00_source_train_normal_0000_m-n_X.wav,mix,7,load,low\n"
        "fan/test/section_00_0001.wav,mix,8,,\n"
        "fan/train/section_00_target_train_normal_0001_noAttribute.flac,noAttribute,,,\n"
    )
    found = {Path(clip).name: dict(row.attributes) for clip, row in rows(folder(), dcase, "fan").items()}
    assert found["section_00_source_train_normal_0000_m-n_X"] == {"mix": "7", "load": "low"}
    assert found["section_00_0001"] == {"mix": "8"}
    assert found["section_00_target_train_normal_0001_noAttribute"] == {}
    assert found["section_00_source_test_anomaly_0000_m-n_X"] == {"m-n": "X"}


@pytest.mark.parametrize("text", ["name,d1p,d1v\n", "file_name,d1p\n", "file_name,d1v,d1p\n", ""])
def test_an_attributes_table_of_another_form_is_refused(dcase, text):
    (dcase / "data" / "fan" / "attributes_00.csv").write_text(text)
    with pytest.raises(DataError, match=r"attributes_00\.csv: has the header .*d1p,d1v"):
        folder().machine_names("mine", dcase)


def test_a_dcase_machine_depends_on_its_own_files_only(dcase):
    touch(dcase / "data", "valve/attributes_01.csv")
    (dcase / "data/valve/attributes_01.csv").write_text("file_name,d1p,d1v\n")
    assert folder().source_files("mine", dcase, "valve") == [
        "data/valve/attributes_01.csv",
        "data/valve/train/section_01_source_train_normal_0000.wav",
    ]


def test_an_edited_attributes_table_is_read_again(dcase):
    data, table = folder(), dcase / "data" / "valve" / "attributes_01.csv"
    name = "valve/train/section_01_source_train_normal_0000"
    for value in ("1", "22"):
        table.write_text(f"file_name,d1p,d1v\n{name}.wav,load,{value}\n")
        assert dict(rows(data, dcase, "valve")[name].attributes) == {"load": value}


def test_a_machine_that_does_not_exist_is_named(dcase):
    for ask in (folder().clip_rows, folder().source_files):
        with pytest.raises(ConfigError, match=r"machine: 'vave' is not in .*Did you mean 'valve'\?"):
            ask("mine", dcase, "vave")


def test_an_added_file_is_seen(dcase):
    data = folder()
    before = rows(data, dcase, "valve")
    touch(dcase / "data", "valve/train/section_01_source_train_normal_0001.wav")
    assert len(rows(data, dcase, "valve")) == len(before) + 1


def test_files_with_other_names_are_listed_and_not_dropped(dcase):
    touch(dcase / "data", "fan/train/talk.wav", "fan/train/section_00_sorce_train_normal_0009.wav")
    with pytest.raises(DataError, match=r"has 2 files whose names are not understood") as caught:
        folder().machine_names("mine", dcase)
    assert "fan/train/talk.wav" in str(caught.value) and "'sorce'" in str(caught.value)


def test_the_folder_of_one_machine_may_be_the_root(dcase):
    data = datasets.build({"kind": "folder", "root": "data/valve"})
    assert data.machine_names("mine", dcase) == ["valve"]


# -- bank by rule ----------------------------------------------------------------------------------------


@pytest.fixture
def flat2020(tmp_path):
    touch(
        tmp_path / "data",
        *(f"pump/normal_id_{id_}_{n:08d}.wav" for id_ in ("00", "02") for n in (5, 3, 4)),
        *(f"pump/anomaly_id_{id_}_{n:08d}.wav" for id_ in ("00", "02") for n in range(2)),
    )
    return tmp_path


def test_a_tree_without_splits_asks_for_a_rule(flat2020):
    with pytest.raises(DataError, match=r"does not say of 10 clips.*Set train_normal"):
        folder().machine_names("mine", flat2020)


def test_the_first_normal_clips_by_name_of_each_section_are_the_bank(flat2020):
    found = rows(folder(train_normal=2), flat2020, "pump")
    bank = sorted(clip for clip, row in found.items() if row.split == "train")
    assert bank == [f"pump/normal_id_{id_}_{n:08d}" for id_ in ("00", "02") for n in (3, 4)]
    assert {row.split for clip, row in found.items() if "anomaly" in clip} == {"test"}


def test_a_rule_that_leaves_nothing_normal_to_test_with_is_refused(flat2020):
    with pytest.raises(DataError, match=r"section 00: has 3 normal clips, but train_normal is 3.*at most 2"):
        folder(train_normal=3).machine_names("mine", flat2020)


def test_a_rule_that_decides_nothing_is_refused(dcase):
    with pytest.raises(DataError, match="Leave train_normal out"):
        folder(train_normal=2).machine_names("mine", dcase)


# -- MIMII -----------------------------------------------------------------------------------------------


@pytest.fixture
def mimii(tmp_path):
    touch(
        tmp_path / "data",
        *(f"fan/id_{i:02d}/normal/{n:08d}.wav" for i in (0, 2, 4) for n in range(4)),
        *(f"fan/id_{i:02d}/abnormal/{n:08d}.wav" for i in (0, 2, 4) for n in range(2)),
        *(f"-6_dB_fan/fan/id_00/normal/{n:08d}.wav" for n in range(4)),
        *(f"6_dB_pump/id_00/normal/{n:08d}.wav" for n in range(4)),
    )
    return tmp_path


def test_mimii_names_are_recognised_with_their_snr(mimii):
    data = folder(train_normal=2)
    assert data.machine_names("mine", mimii) == ["-6_dB_fan", "6_dB_pump", "fan"]
    assert {row.attributes["snr_db"] for row in rows(data, mimii, "-6_dB_fan").values()} == {"-6"}
    assert {row.attributes["snr_db"] for row in rows(data, mimii, "6_dB_pump").values()} == {"6"}
    assert all("snr_db" not in row.attributes for row in rows(data, mimii, "fan").values())


def test_each_mimii_id_is_a_section_with_its_own_bank(mimii):
    found = rows(folder(train_normal=3), mimii, "fan")
    counts = {}
    for row in found.values():
        key = (row.section, row.split, row.label)
        counts[key] = counts.get(key, 0) + 1
    assert counts == {
        **{(section, "train", "normal"): 3 for section in ("00", "02", "04")},
        **{(section, "test", "normal"): 1 for section in ("00", "02", "04")},
        **{(section, "test", "anomaly"): 2 for section in ("00", "02", "04")},
    }
    assert all(row.domain is None for row in found.values())


def test_ids_may_be_domains_with_banks_of_their_own_size(mimii):
    data = folder(
        machines=["fan"], train_normal=3, target_train_normal=1, source_ids=["00", "02"], target_ids=["04"]
    )
    found = list(rows(data, mimii, "fan").values())
    assert {row.section for row in found} == {"00"}
    assert {(row.attributes["id"], row.domain) for row in found} == {
        ("00", "source"),
        ("02", "source"),
        ("04", "target"),
    }
    bank = [row.attributes["id"] for row in found if row.split == "train"]
    assert sorted(bank) == ["00"] * 3 + ["02"] * 3 + ["04"]


def test_ids_that_a_machine_does_not_have_are_an_error(mimii):
    data = folder(train_normal=2, source_ids=["00"], target_ids=["04"], machines=["fan"])
    assert data.machine_names("mine", mimii) == ["fan"]
    with pytest.raises(DataError, match=r"machine 6_dB_pump: has none of the ids 02, 04; it has 00"):
        folder(train_normal=2, source_ids=["02"], target_ids=["04"], machines=["6_dB_pump"]).machine_names(
            "mine", mimii
        )


def test_ids_cannot_be_domains_where_clips_have_domains(dcase):
    with pytest.raises(DataError, match=r"has clips with a domain.*Leave source_ids"):
        folder(source_ids=["00"], target_ids=["01"]).machine_names("mine", dcase)


def test_a_stray_file_in_a_mimii_tree_is_an_error(mimii):
    touch(mimii / "data", "fan/id_00/normal/extra/a.wav")
    with pytest.raises(
        DataError, match=r"has 1 recordings that are not named as MIMII does, first fan/id_00"
    ):
        folder(train_normal=2).machine_names("mine", mimii)


# -- choosing, and what cannot be ------------------------------------------------------------------------


def test_machines_and_sections_can_be_chosen(flat2020):
    touch(flat2020 / "data", *(f"fan/normal_id_06_{n:08d}.wav" for n in range(3)))
    data = folder(train_normal=1, machines=["pump"], sections=["02"])
    assert data.machine_names("mine", flat2020) == ["pump"]
    assert {row.section for row in rows(data, flat2020, "pump").values()} == {"02"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"machines": ["pmp"]}, r"machines: 'pmp' is not in .*Did you mean 'pump'\?"),
        ({"sections": ["07"]}, r"sections: '07' is not in .*It has: 00, 02"),
    ],
)
def test_a_machine_or_section_that_does_not_exist_is_named(flat2020, options, message):
    with pytest.raises(ConfigError, match=message):
        folder(train_normal=1, **options).machine_names("mine", flat2020)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rooot": "x"}, r"'rooot'.*is not known"),
        ({"layout": "csv"}, r"'layout': 'csv' is not known"),
        ({"train_normal": 0}, r"train_normal.*0 is less than the minimum of 1"),
        ({"sections": [0]}, r"sections\.0.*0 is not of type 'string'"),
        ({"target_train_normal": 3}, r"target_train_normal: is set without train_normal"),
        ({"source_ids": ["00"], "target_ids": ["00"]}, r"repeats \['00'\] of source_ids"),
        ({"target_ids": ["00"]}, r"target_ids: is set without source_ids"),
        ({"audio": {"chanel": 1}}, r"'audio\.chanel': key 'chanel' is not known\. Did you mean 'channel'"),
        ({"noise": {"snr_db": 0, "color": "red"}}, r"noise\.color': 'red' is not known"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        folder(**options)


def test_audio_and_noise_reach_the_data_set():
    data = folder(audio={"level": "rms"}, noise={"snr_db": -5})
    assert (data.audio.level, data.noise.snr_db, data.noise.color) == ("rms", -5.0, "pink")
    assert folder().noise is None and folder().audio.level == "none"
    assert not data.simulated


@pytest.mark.parametrize(
    ("spec", "message"), [({"root": "x"}, "has no kind"), ({"kind": "foder"}, "'folder'")]
)
def test_an_entry_without_a_known_kind_is_refused(spec, message):
    with pytest.raises(ConfigError, match=message):
        datasets.build(spec)


def test_a_root_that_is_not_there_or_empty_or_unreadable_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"data: is not a folder"):
        folder().machine_names("mine", tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match=r"has no clips\.csv, and none of its 0 recordings"):
        folder().machine_names("mine", tmp_path)
    for layout in ("dcase", "mimii"):
        with pytest.raises(DataError, match="holds no sound"):
            folder(layout=layout).machine_names("mine", tmp_path)
    with pytest.raises(DataError, match=r"clips\.csv: does not exist"):
        folder(layout="clips_csv").machine_names("mine", tmp_path)
    touch(tmp_path / "data", "monday.wav")
    with pytest.raises(DataError, match=r"none of its 1 recordings.*first monday\.wav.*Describe"):
        folder().machine_names("mine", tmp_path)


def test_a_link_to_a_folder_is_followed_once(tmp_path):
    touch(tmp_path / "disk", "fan/train/section_00_source_train_normal_0000.wav")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fan").symlink_to(tmp_path / "disk" / "fan")
    (tmp_path / "disk" / "fan" / "loop").symlink_to(tmp_path / "disk" / "fan")
    assert list(rows(folder(leave_root=True), tmp_path, "fan")) == [
        "fan/train/section_00_source_train_normal_0000"
    ]


def test_an_absolute_root_does_not_depend_on_the_working_directory(flat2020):
    data = datasets.build({"kind": "folder", "root": str(flat2020 / "data"), "train_normal": 1})
    assert data.machine_names("mine", Path("/")) == ["pump"]
    assert data.root("mine", Path("/")) == flat2020 / "data"
