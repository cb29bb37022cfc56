"""Nothing in a folder is left out in silence, and what is no recording is not taken for one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from asdflow import datasets
from asdflow.foundation.errors import DataError

RATE = 8000
BANK = ("section_00_source_train_normal_0000", "section_00_source_train_normal_0001")
TEST = "section_00_source_test_anomaly_0000"


def sound(path: Path, seed: int, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.1, 0.1, RATE), RATE, **options)
    return path


@pytest.fixture
def tree(tmp_path) -> Path:
    """A DCASE tree of one machine, in tmp_path/data."""
    for seed, name in enumerate(BANK):
        sound(tmp_path / "data" / "fan" / "train" / f"{name}.wav", seed)
    sound(tmp_path / "data" / "fan" / "test" / f"{TEST}.wav", 9)
    return tmp_path / "data"


def folder(**options):
    return datasets.build({"kind": "folder", "root": "data", **options})


def clips(base: Path, **options) -> list[str]:
    return folder(**options).clips_table("mine", base, "fan").column("path").to_pylist()


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        *(
            (".mp3", "MP3"),
            (".aiff", "AIFF"),
            (".AIF", "AIFF"),
            (".au", "AU"),
            (".caf", "CAF"),
            (".W64", "W64"),
        ),
        *((".opus", "OGG"), (".oga", "OGG"), (".Wav", "WAV"), (".FLAC", "FLAC"), (".bwf", "WAV")),
    ],
)
def test_every_container_that_can_be_read_is_used(tree, suffix, kind):
    name = f"fan/test/section_00_source_test_normal_0001{suffix}"
    sound(tree / name, 5, format=kind, subtype="OPUS" if suffix == ".opus" else None)
    assert name in clips(tree.parent)


@pytest.mark.parametrize("suffix", [".m4a", ".wma", ".aac", ".MP4", ".amr", ".raw"])
def test_sound_that_cannot_be_read_is_refused(tree, suffix):
    (tree / "fan" / "test" / f"{TEST}{suffix}").write_bytes(b"x")
    with pytest.raises(DataError, match=f"fan/test/{TEST}{suffix}' is sound that cannot be read; convert it"):
        folder().machine_names("mine", tree.parent)


def test_other_files_are_listed_in_the_log_with_the_reason(tree, capsys):
    for name in ("fan/README.txt", "fan/test/notes.csv", "LICENSE", "elsewhere/x.pdf"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text("x")
    assert len(clips(tree.parent)) == 3
    said = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0].removeprefix(f"{tree}/") for line in said] == [
        "LICENSE",
        "fan/README.txt",
        "fan/test/notes.csv",
    ]
    assert all(line.endswith("not used: neither sound nor a table of attributes") for line in said)


JUNK = ("._x.wav", ".DS_Store", ".hidden.wav", "__MACOSX/x.wav", "Thumbs.db", ".git/x.wav", "@eaDir/a.wav")


@pytest.mark.parametrize("name", JUNK)
def test_hidden_files_and_those_of_desktop_programs_are_no_recordings(tree, name, capsys):
    file = tree / "fan" / "test" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"\0\5\x16\7")
    assert len(clips(tree.parent)) == 3 and capsys.readouterr().err == ""


def test_hidden_files_are_no_noise(tree, tmp_path):
    sound(tmp_path / "noise" / "a.wav", 1)
    (tmp_path / "noise" / "._a.wav").write_bytes(b"\0\5\x16\7")
    data = folder(noise={"snr_db": 0, "color": "recorded", "recordings": "noise"})
    assert data.noise_files(tmp_path) == ["noise/a.wav"]


# -- vectors ---------------------------------------------------------------------------------------------


@pytest.fixture
def vectors(tmp_path):
    """A folder of one good file of vectors, and the machines that it is said to hold."""
    (tmp_path / "vectors").mkdir()
    rows = {
        "clip": ["a", "b", "c"],
        "machine": ["fan"] * 3,
        "section": ["00"] * 3,
        "split": ["train"] * 2 + ["test"],
    }
    rows |= {"domain": pa.nulls(3), "label": pa.nulls(3), "values": [[1.0], [2.0], [3.0]]}
    pq.write_table(pa.table(rows), tmp_path / "vectors" / "good.parquet")
    data = datasets.build({"kind": "embeddings", "vectors": {"mine": "vectors"}})
    return tmp_path / "vectors", lambda: data.machine_names("mine", tmp_path)


@pytest.mark.parametrize("name", ["._good.parquet", ".hidden.parquet", ".DS_Store", "Thumbs.db"])
def test_hidden_files_are_no_vectors(vectors, name):
    where, machines = vectors
    (where / name).write_bytes(b"\0\5\x16\7")
    assert machines() == ["fan"]


def test_every_spelling_of_the_suffix_is_read(vectors):
    where, machines = vectors
    for name in ("A.PARQUET", "b.pq"):
        table = pq.read_table(where / "good.parquet").to_pydict() | {"machine": [name[0]] * 3}
        pq.write_table(pa.table(table), where / name)
    assert machines() == ["A", "b", "fan"]


@pytest.mark.parametrize("name", ["more.csv", "more.npy", "deeper/more.parquet"])
def test_vectors_that_would_be_left_out_are_refused(vectors, name):
    where, machines = vectors
    (where / name).parent.mkdir(exist_ok=True)
    (where / name).write_bytes(b"x")
    with pytest.raises(DataError, match=f"vectors: has 1 files that would be left out, first {name}"):
        machines()


# -- links and special files -----------------------------------------------------------------------------


def test_a_link_out_of_the_folder_is_followed_only_when_asked(tree, tmp_path):
    real = sound(tmp_path / "elsewhere" / "x.wav", 3)
    link = tree / "fan" / "test" / "section_00_source_test_normal_0005.wav"
    link.symlink_to(real)
    with pytest.raises(DataError, match=f"is a link out of the folder, to {real}.*\n.*leave_root: true"):
        clips(tmp_path)
    assert f"fan/test/{link.name}" in clips(tmp_path, leave_root=True)


def test_a_link_within_the_folder_is_followed(tree):
    (tree / "fan" / "test" / "section_00_source_test_normal_0005.wav").symlink_to(f"{TEST}.wav")
    assert len(clips(tree.parent)) == 4


def test_a_link_that_leads_nowhere_is_called_one(tree):
    link = tree / "fan" / "test" / "section_00_source_test_normal_0005.wav"
    link.symlink_to("nowhere.wav")
    with pytest.raises(DataError, match=r"is a link to nowhere\.wav, which does not exist\. Restore"):
        clips(tree.parent)
    inputs = folder().source_files("mine", tree.parent, "fan")
    assert len(inputs) == 3 and not any(
        "0005" in path for path in inputs
    )  # Snakemake is not asked to find it


def test_links_in_a_circle_end(tree):
    (tree / "fan" / "loop").symlink_to(tree)
    (tree / "fan" / "self").symlink_to(tree / "fan" / "self")
    assert len(clips(tree.parent)) == 3


@pytest.mark.parametrize("described", [False, True])
def test_a_pipe_is_not_read(tree, described):
    pipe = "fan/test/section_00_source_test_normal_0005.wav"
    os.mkfifo(tree / pipe)
    if described:
        lines = [*(f"fan/train/{name}.wav,fan,train" for name in BANK), f"{pipe},fan,test"]
        (tree / "clips.csv").write_text("\n".join(["path,machine,split", *lines]))
    assert not any("0005" in path for path in folder().source_files("mine", tree.parent, "fan"))
    with pytest.raises(DataError, match=r"0005\.wav: is a pipe, not a file\. Record it to a file first"):
        clips(tree.parent)


def test_paths_of_a_list_may_leave_the_folder_when_that_is_said(tree, tmp_path):
    sound(tmp_path / "elsewhere" / "x.wav", 3)
    lines = [*(f"fan/train/{name}.wav,fan,train" for name in BANK), "../elsewhere/x.wav,fan,test"]
    (tree / "clips.csv").write_text("\n".join(["path,machine,split", *lines]))
    with pytest.raises(DataError, match=r"'\.\./elsewhere/x\.wav' leads out .* set leave_root: true"):
        clips(tmp_path)
    assert clips(tmp_path, leave_root=True)[0] == "../elsewhere/x.wav"


def test_a_listed_file_behind_a_link_out_of_the_folder_is_refused(tree, tmp_path):
    sound(tmp_path / "elsewhere" / "x.wav", 3)
    (tree / "other").symlink_to(tmp_path / "elsewhere")
    lines = [*(f"fan/train/{name}.wav,fan,train" for name in BANK), "other/x.wav,fan,test"]
    (tree / "clips.csv").write_text("\n".join(["path,machine,split", *lines]))
    with pytest.raises(DataError, match=r"other/x\.wav: is a link out of .*leave_root: true"):
        clips(tmp_path)
    assert "other/x.wav" in clips(tmp_path, leave_root=True)
