"""One contract over every registered kind of data set. A new kind adds a line to `CASES` only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from server import Server, simulate

from asdflow import datasets
from asdflow.datasets.base import Recordings
from asdflow.datasets.dcase import registry
from asdflow.foundation.errors import AsdflowError, ConfigError
from asdflow.products import tables
from asdflow.products.schemas import CLIPS
from tiny_encoders import sound

NAME = "mine"
MACHINES = ("valve", "fan")  # not in order


def record(base: Path, *paths: str) -> None:
    """Recordings of 0.1 s, each with a sound of its own."""
    for path in paths:
        file = base / "recordings" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, sound(1600, path), 16000, subtype="PCM_16")


def clips_csv(base: Path, _: pytest.MonkeyPatch) -> dict:
    lines = ["path,machine,split,label"]
    for machine in MACHINES:
        for number, (split, label) in enumerate(
            [("train", "normal"), ("train", "normal"), ("test", "normal"), ("test", "anomaly")]
        ):
            record(base, f"{machine}/{9 - number}.wav")
            lines.append(f"{machine}/{9 - number}.wav,{machine},{split},{label}")
    (base / "recordings/clips.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"kind": "folder", "root": "recordings"}


def dcase_names(base: Path, _: pytest.MonkeyPatch) -> dict:
    for machine in MACHINES:
        for domain in ("source", "target"):
            for number in range(2):
                record(base, f"{machine}/train/section_00_{domain}_train_normal_{number:04}_noAttribute.wav")
                for label in ("normal", "anomaly"):
                    record(base, f"{machine}/test/section_00_{domain}_test_{label}_{number:04}.wav")
    return {"kind": "folder", "root": "recordings", "layout": "dcase"}


def mimii_names(base: Path, _: pytest.MonkeyPatch) -> dict:
    for machine in MACHINES:
        for number in range(3):
            for label in ("normal", "abnormal"):
                record(base, f"{machine}/id_00/{label}/{number:08}.wav")
    return {"kind": "folder", "root": "recordings", "layout": "mimii", "train_normal": 2}


def dcase(base: Path, patch: pytest.MonkeyPatch) -> dict:
    """A simulated year behind a local server, downloaded."""
    spec = {"kind": "dcase", "year": 2023, "machines": list(MACHINES), "subsets": ["development"]}
    with Server() as server:
        patch.setenv(registry.REGISTRY_VARIABLE, str(simulate(server, base / "resources", [2023])))
        patch.setenv(registry.ZENODO_VARIABLE, server.url)
        data = datasets.build(spec)
        for machine in MACHINES:
            for archive in data.archives(machine):
                data.obtain(base, archive.part, machine)
    return spec


def embeddings(base: Path, _: pytest.MonkeyPatch) -> dict:
    rows = [
        (machine, f"{machine}/{split}{number}", split)
        for machine in MACHINES
        for split in ("train", "test")
        for number in (1, 0)
    ]
    machine, clip, split = map(list, zip(*rows, strict=True))
    label = ["normal" if one == "train" else "anomaly" for one in split]
    values = np.random.default_rng(0).normal(size=(len(rows), 3)).astype(np.float32).tolist()
    table = {"machine": machine, "clip": clip, "split": split, "label": label, "values": values}
    same = {"section": ["00"] * len(rows), "domain": ["source"] * len(rows)}
    pq.write_table(pa.table(table | same), base / "vectors.parquet")
    return {"kind": "embeddings", "vectors": {"own": "vectors.parquet"}}


def factory(base: Path, _: pytest.MonkeyPatch) -> dict:
    from asdflow.datasets.factory import generate

    sizes = {"train_source": 2, "train_target": 1, "test_per_cell": 1, "duration_s": 1}
    spec = {"kind": "factory", "machines": list(MACHINES), **sizes}
    data = datasets.build(spec)
    for machine in MACHINES:
        generate(data, machine, data.root(NAME, base) / machine)
    return spec


# Kind (and a word that tells its cases apart) -> makes the data in a working directory, gives the entry.
CASES: dict[str, Callable[[Path, pytest.MonkeyPatch], dict]] = {
    "folder clips.csv": clips_csv,
    "folder dcase": dcase_names,
    "folder mimii": mimii_names,
    "dcase": dcase,
    "embeddings": embeddings,
    "factory": factory,
}


@pytest.fixture(scope="module", params=CASES)
def made(request, tmp_path_factory):
    """Entry and working directory of each registered kind."""
    with pytest.MonkeyPatch.context() as patch:
        base = tmp_path_factory.mktemp("data set")
        yield CASES[request.param](base, patch), base


@pytest.fixture
def spec(made):
    return made[0]


@pytest.fixture
def base(made):
    return made[1]


@pytest.fixture
def data(spec):
    return datasets.build(spec)


def test_every_registered_kind_has_a_case():
    assert {case.split()[0] for case in CASES} == set(datasets.REGISTRY.names())


def test_machines_are_named_once_and_sorted(data, base):
    assert data.machine_names(NAME, base) == sorted(MACHINES)


def test_machines_that_no_file_of_the_user_names_are_known_before_any_file_is_there(data, base, tmp_path):
    if any(data.source_files(NAME, base, machine) for machine in MACHINES):
        with pytest.raises(AsdflowError):
            data.machine_names(NAME, tmp_path)
    else:
        assert data.machine_names(NAME, tmp_path) == data.machine_names(NAME, base)


def test_source_files_exist_below_the_working_directory_and_are_named_once(data, base):
    for machine in MACHINES:
        files = data.source_files(NAME, base, machine)
        assert len(set(files)) == len(files)
        assert [file for file in files if Path(file).is_absolute() or not (base / file).is_file()] == []


def test_the_clips_table_is_a_whole_product_of_its_machine(data, base, tmp_path):
    for machine in MACHINES:
        table = data.clips_table(NAME, base, machine)
        assert table.schema.equals(CLIPS.arrow())
        tables.write(tmp_path / "clips.parquet", "clips", table, {})  # checks every column, and the key
        product = tables.read(tmp_path / "clips.parquet", "clips").to_pylist()
        assert {row["machine"] for row in product} == {machine}
        keys = [(row["section"], row["clip"]) for row in product]
        assert len(keys) >= 4 and keys == sorted(set(keys))
        assert {row["split"] for row in product} >= {"train", "test"}
        assert {row["label"] for row in product if row["split"] == "train"} == {"normal"}


def test_the_same_entry_says_the_same_from_wherever_it_is_asked(data, spec, base, tmp_path, monkeypatch):
    said = [
        (data.clips_table(NAME, base, machine), data.source_files(NAME, base, machine))
        for machine in MACHINES
    ]
    monkeypatch.chdir(tmp_path)
    other = datasets.build(spec)
    assert other == data and other.machine_names(NAME, base) == data.machine_names(NAME, base)
    for machine, (table, files) in zip(MACHINES, said, strict=True):
        assert other.clips_table(NAME, base, machine).equals(table)
        assert other.source_files(NAME, base, machine) == files


def test_a_machine_that_does_not_exist_is_an_error_that_names_it(data, base):
    with pytest.raises(AsdflowError, match="squirrel"):
        data.clips_table(NAME, base, "squirrel")


def test_an_unknown_option_is_an_error_that_names_it(spec):
    with pytest.raises(ConfigError, match="squirrels"):
        datasets.build(spec | {"squirrels": 3})


def test_it_says_how_its_vectors_came(data):
    assert bool(data.given) != isinstance(data, Recordings)  # sound is heard, or vectors are given


def test_every_clip_of_sound_is_planned_lies_below_the_root_and_can_be_heard(data, base):
    if not isinstance(data, Recordings):
        pytest.skip("no sound")
    for machine in MACHINES:
        rows = data.clips_table(NAME, base, machine).to_pylist()
        planned = [(row.section, row.clip) for row in data.clip_rows(NAME, base, machine)]
        assert sorted(planned) == sorted((row["section"], row["clip"]) for row in rows)
        load = data.loader(NAME, base)
        for row in rows:
            assert (data.root(NAME, base) / row["path"]).is_file()
            wave = load(row, 8000)
            assert wave.dtype == np.float32 and wave.shape == (round(row["duration_s"] * 8000),)
            assert np.isfinite(wave).all() and wave.any()
