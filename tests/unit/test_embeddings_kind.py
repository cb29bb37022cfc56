"""Data sets of ready-made vectors: what their files must hold, and what becomes of them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from asdflow import datasets
from asdflow.config import load
from asdflow.foundation.errors import ConfigError, DataError
from asdflow.plan.plan import Plan
from asdflow.products import tables
from asdflow.stages.distances import distance_columns
from asdflow.stages.scores import score_columns

WIDTH = 3
ROWS = (
    *((f"fan/s{i}", "source", "train", "normal") for i in range(6)),
    *((f"fan/t{i}", "target", "train", "normal") for i in range(2)),
    ("fan/n0", "source", "test", "normal"),
    ("fan/n1", "target", "test", "normal"),
    ("fan/a0", "source", "test", "anomaly"),
    ("fan/a1", "target", "test", "anomaly"),
)


def table(machine: str = "fan", seed: int = 0, scale=(1.0, 1000.0, 1e-3)) -> dict[str, list]:
    """Columns of a good file; dimensions of very different size."""
    values = np.random.default_rng(seed).normal(2.0, 1.0, (len(ROWS), WIDTH)) * scale
    clip, domain, split, label = (list(column) for column in zip(*ROWS, strict=True))
    return {
        "clip": clip,
        "machine": [machine] * len(ROWS),
        "section": ["00"] * len(ROWS),
        "domain": domain,
        "split": split,
        "label": label,
        "values": values.astype(np.float32).tolist(),
    }


@pytest.fixture
def write(tmp_path):
    """Write columns to a file of the working directory; return the data set that it makes."""

    def make(columns, name: str = "v.parquet", **options):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pq.write_table(pa.table(columns), tmp_path / name)
        return datasets.build({"kind": "embeddings", "vectors": {"mine": name}, **options})

    make.base = tmp_path
    return make


def of(data, base: Path, encoder: str = "mine", machine: str = "fan"):
    """Vectors by clip, through the product's own file."""
    path = base / "embeddings.parquet"
    tables.write(path, "embeddings", data.embeddings("d", base, encoder, machine), {})
    product = tables.read(path, "embeddings")
    values = tables.matrix(product.column("values"))
    return dict(zip(product.column("clip").to_pylist(), values, strict=True))


def test_vectors_are_used_as_they_are_unless_asked_otherwise(write):
    columns = table()
    found = of(write(columns), write.base)
    for clip, vector in zip(columns["clip"], columns["values"], strict=True):
        np.testing.assert_array_equal(found[clip], np.float32(vector))


def test_standardised_vectors_have_mean_0_and_deviation_1_on_the_bank_of_each_section(write):
    columns = table()
    other = table(seed=1, scale=(5.0, 7.0, 9.0))
    other["clip"] = [f"{clip}-b" for clip in other["clip"]]
    other["section"] = ["01"] * len(ROWS)
    both = {name: columns[name] + other[name] for name in columns}
    found = of(write(both, standardise="bank"), write.base)
    for part in (columns, other):
        bank = [row for row, split in enumerate(part["split"]) if split == "train"]
        for row, clip in enumerate(part["clip"]):
            for d in range(WIDTH):
                train = [float(np.float32(part["values"][one][d])) for one in bank]
                mean = sum(train) / len(train)
                deviation = (sum((x - mean) ** 2 for x in train) / len(train)) ** 0.5
                expected = (float(np.float32(part["values"][row][d])) - mean) / deviation
                assert found[clip][d] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_a_dimension_that_is_constant_on_the_bank_is_centred_and_not_scaled(write):
    columns = table()
    for vector, split in zip(columns["values"], columns["split"], strict=True):
        vector[1] = 0.1 if split == "train" else 0.6
    found = of(write(columns, standardise="bank"), write.base)
    assert {float(found[f"fan/s{i}"][1]) for i in range(6)} == {0.0}
    assert found["fan/a0"][1] == pytest.approx(0.5, rel=1e-6)


def test_the_clips_table_says_what_the_file_says_and_nothing_of_sound(write):
    columns = table() | {"recording": ["shared" if row < 2 else None for row in range(len(ROWS))]}
    path = write.base / "clips.parquet"
    tables.write(path, "clips", write(columns).clips_table("d", write.base, "fan"), {})
    found = {row["clip"]: row for row in tables.read(path, "clips").to_pylist()}
    for row, clip in enumerate(columns["clip"]):
        for name in ("machine", "section", "domain", "split", "label"):
            assert found[clip][name] == columns[name][row]
        assert found[clip]["recording"] == (columns["recording"][row] or clip)
    sound = ("path", "start_s", "duration_s", "sample_rate", "channels", "samples", "sha256", "peak", "rms")
    assert {found["fan/s0"][name] for name in sound} == {None}


def test_copies_and_shared_recordings_are_warned_of(write):
    columns = table() | {"recording": [None] * len(ROWS)}
    columns["values"][8] = columns["values"][0]
    columns["recording"][1] = columns["recording"][9] = "monday"
    warnings = {
        row["clip"]: row["warnings"]
        for row in write(columns).clips_table("d", write.base, "fan").to_pylist()
        if row["warnings"]
    }
    assert warnings == {
        "fan/s0": ["same vector as fan/n0 (training and test share it)"],
        "fan/n0": ["same vector as fan/s0 (training and test share it)"],
        "fan/s1": ["recording monday is in training and test"],
        "fan/n1": ["recording monday is in training and test"],
    }


def test_one_file_or_several_or_a_folder_give_the_same(write):
    columns, pump = table(), table("pump", seed=3)
    joined = write({name: columns[name] + pump[name] for name in columns})
    write(columns, "parts/fan.parquet")
    folder = write(pump, "parts/pump.parquet")
    folder = datasets.build({"kind": "embeddings", "vectors": {"mine": "parts"}})
    listed = datasets.build(
        {"kind": "embeddings", "vectors": {"mine": ["parts/pump.parquet", "parts/fan.parquet"]}}
    )
    for data in (joined, folder, listed):
        assert data.machine_names("d", write.base) == ["fan", "pump"]
        for machine in ("fan", "pump"):
            expected = of(joined, write.base, machine=machine)
            found = of(data, write.base, machine=machine)
            assert found.keys() == expected.keys()
            assert all((found[clip] == expected[clip]).all() for clip in expected)
    assert folder.source_files("d", write.base, "pump") == ["parts/pump.parquet"]


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64()), pa.large_list(pa.float32()),
                                  pa.list_(pa.float32(), WIDTH)], ids=str)  # fmt: skip
def test_every_list_of_floats_is_read(write, kind):
    columns = table()
    expected = of(write(columns), write.base)
    made = write(columns | {"values": pa.array(columns["values"], type=kind)})
    found = of(made, write.base)
    assert all((found[clip] == expected[clip]).all() for clip in expected)


def test_the_order_of_the_rows_changes_nothing(write):
    columns = table()
    tables_ = []
    for order in (range(len(ROWS)), reversed(range(len(ROWS)))):
        order = list(order)
        data = write({name: [values[row] for row in order] for name, values in columns.items()})
        made = tables.write  # the writer sorts by the schema's key
        made(write.base / "e.parquet", "embeddings", data.embeddings("d", write.base, "mine", "fan"), {})
        tables_.append((write.base / "e.parquet").read_bytes())
    assert tables_[0] == tables_[1]


def broken(name: str, value, row: int = 9) -> dict[str, list]:
    """A good table with one cell replaced."""
    columns = table()
    columns[name][row] = value
    return columns


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({k: v for k, v in table().items() if k != "split"}, r"has no column 'split'\. Add it"),
        ({k: v for k, v in table().items() if k != "label"}, r"no column 'label'.*may be empty throughout"),
        (table() | {"recordings": table()["clip"]}, r"column 'recordings'.*Did you mean 'recording'"),
        (table() | {"values": table()["clip"]}, r"column 'values': is of type string\. Write it as a list"),
        (table() | {"section": [0] * len(ROWS)}, r"column 'section': is of type int64\. Write it as text"),
        (broken("label", "anomalous"), r"column 'label': holds 'anomalous', first in clip 'fan/n1'"),
        (broken("split", None), r"column 'split': 1 of 12 cells are empty"),
        (broken("clip", "fan/n0"), r"1 clip names more than once, first 'fan/n0'"),
        (broken("values", [1.0]), r"1 vectors are not of length 3, first that of 'fan/n1': 1"),
        (broken("values", [1.0, float("nan"), 2.0]), r"1 vectors hold NaN, infinity or nothing.*'fan/n1'"),
        (broken("values", [1.0, None, 2.0]), r"1 vectors hold NaN, infinity or nothing.*'fan/n1'"),
        (broken("values", None), r"1 clips have no vector, first 'fan/n1'"),
        (broken("label", "anomaly", 0), r"1 anomalous training clips, first 'fan/s0'"),
        (broken("domain", None, 0), r"1 of 8 training clips without domain, first 'fan/s0'"),
        (table() | {"split": ["test"] * len(ROWS)}, r"section 00: has 0 training clips"),
    ],
)  # fmt: skip
def test_a_bad_file_is_one_clear_error(write, columns, message):
    with pytest.raises(DataError, match=f"(?s){message}"):
        write(columns).clips_table("d", write.base, "fan")


def test_several_problems_are_listed_together(write):
    columns = broken("label", "odd") | {"values": broken("values", [1.0])["values"]}
    with pytest.raises(DataError, match=r"(?s)column 'label'.*not of length 3"):
        write(columns).clips_table("d", write.base, "fan")


def test_values_beyond_float32_are_refused(write):
    columns = table()
    values = pa.array([[1e300, 0.0, 0.0], *columns["values"][1:]], type=pa.list_(pa.float64()))
    with pytest.raises(DataError, match=r"up to 1e\+300, beyond the range of float32"):
        write(columns | {"values": values}).embeddings("d", write.base, "mine", "fan")


def test_files_that_are_absent_or_no_parquet_are_named(write):
    data = datasets.build({"kind": "embeddings", "vectors": {"mine": "nowhere.parquet"}})
    with pytest.raises(DataError, match=r"nowhere\.parquet: does not exist\. Correct vectors\.mine"):
        data.machine_names("d", write.base)
    (write.base / "empty").mkdir()
    data = datasets.build({"kind": "embeddings", "vectors": {"mine": "empty"}})
    with pytest.raises(DataError, match=r"empty: holds no \.parquet files"):
        data.machine_names("d", write.base)
    (write.base / "text.parquet").write_text("clip,machine\n")
    data = datasets.build({"kind": "embeddings", "vectors": {"mine": "text.parquet"}})
    with pytest.raises(DataError, match=r"text\.parquet: is not a whole Parquet file"):
        data.machine_names("d", write.base)


def test_a_machine_that_no_file_has_is_refused(write):
    data = write(table(), machines=["fun"])
    with pytest.raises(ConfigError, match=r"'fun' is in none of the files\. They hold fan"):
        data.machine_names("d", write.base)


@pytest.mark.parametrize("option", [{"audio": {"level": "rms"}}, {"noise": {"snr_db": 0.0}}, {"root": "x"}])
def test_options_of_sound_do_not_exist(option):
    with pytest.raises(ConfigError, match="is not known"):
        datasets.build({"kind": "embeddings", "vectors": {"mine": "v.parquet"}} | option)


def test_several_encoders_of_an_entry_describe_the_same_clips(write):
    write(table(), "a.parquet")
    write(table(seed=1), "b.parquet")
    both = {"kind": "embeddings", "vectors": {"a": "a.parquet", "b": "b.parquet"}}
    assert datasets.build(both).clips_table("d", write.base, "fan").num_rows == len(ROWS)

    write(broken("label", "normal", 10), "b.parquet")
    with pytest.raises(DataError, match=r"clip 'fan/a0': has label anomaly in a and normal in b"):
        datasets.build(both).clips_table("d", write.base, "fan")
    short = {name: values[:-1] for name, values in table().items()}
    write(short, "b.parquet")
    with pytest.raises(DataError, match=r"first 'fan/a1' of section 00: a has it, b has not"):
        datasets.build(both).clips_table("d", write.base, "fan")


def test_distances_of_given_vectors_are_those_of_the_vectors(write):
    columns = table(scale=(1.0, 1.0, 1.0))
    path = write.base / "e.parquet"
    tables.write(path, "embeddings", write(columns).embeddings("d", write.base, "mine", "fan"), {})
    found = distance_columns(tables.read(path, "embeddings"), "euclidean")
    rows = dict(zip(found["clip"].to_pylist(), found["values"].to_pylist(), strict=True))
    bank = sorted(
        clip for clip, split in zip(columns["clip"], columns["split"], strict=True) if split == "train"
    )
    vector = dict(zip(columns["clip"], np.float32(columns["values"]).astype(np.float64), strict=True))
    expected = [np.sqrt(((vector["fan/a0"] - vector[clip]) ** 2).sum()) for clip in bank]
    np.testing.assert_allclose(rows["fan/a0"], expected, rtol=1e-6)


CONFIG = {
    "datasets": {
        "given": {"kind": "embeddings", "vectors": {"clap": "v.parquet", "m2d": "v.parquet"}},
        "made": {"kind": "factory", "machines": ["valve"]},
    },
    "encoders": {"logmel": {"name": "logmel"}},
    "poolings": {"mean": {"name": "mean"}},
    "detectors": {"nn": {"backend": {"name": "knn"}}},
}


def test_a_study_mixes_sound_and_vectors(write):
    write(table())
    plan = Plan(load(CONFIG), write.base)
    assert plan.grid.files("frames") == ["results/frames/made/logmel/valve.parquet"]
    scores = set(plan.all_scores())
    assert {name for name in scores if "/given/" in name.removeprefix("results/scores/")} == {
        f"results/scores/given/{encoder}/given/given/knn/fan.parquet" for encoder in ("clap", "m2d")
    }
    layers = plan.study.layers["logmel"]
    assert {f"results/scores/made/logmel/{layer}/mean/knn/valve.parquet" for layer in layers} < scores
    assert len(scores) == 2 + len(layers)


def test_vectors_need_neither_encoder_nor_pooling_but_sound_does(write):
    write(table())
    alone = {"datasets": {"given": CONFIG["datasets"]["given"]}, "detectors": CONFIG["detectors"]}
    assert Plan(load(alone), write.base).grid.files("frames") == []
    for axis in ("encoders", "poolings"):
        config = {name: entries for name, entries in CONFIG.items() if name != axis}
        with pytest.raises(ConfigError, match=f"key {axis}.*has no entry, but data set 'made' is sound"):
            load(config)


def test_the_page_of_the_columns_is_true(root, write):
    """docs/embeddings.md lists the columns that the reader knows."""
    from asdflow.datasets._vectors import OPTIONAL, REQUIRED, VALUES

    page = (root / "docs/embeddings.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip().strip("`") for line in page.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted([*REQUIRED, *OPTIONAL, VALUES])


def blocks(root: Path, language: str) -> list[str]:
    """Code of docs/embeddings.md."""
    page = (root / "docs/embeddings.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", page, re.S)


def test_the_worked_example_of_the_page_writes_a_file_that_is_read(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(blocks(root, "python")[0], {})
    plan = Plan(load(YAML(typ="safe").load(blocks(root, "yaml")[0])), tmp_path)
    assert plan.machines == {"pumps": ["pump"]}
    data = plan.datasets["pumps"]
    assert data.clips_table("pumps", tmp_path, "pump").num_rows == 85
    assert data.embeddings("pumps", tmp_path, "clap", "pump")["values"].shape == (85, 512)


def test_real_machines_score_as_plain_loops_say(root, shared, tmp_path, monkeypatch):
    """MIMII as eGeMAPS: the example of the page, one machine from the file to its AUCs."""
    (tmp_path / "mimii_egemaps.parquet").symlink_to(shared / "data/mimii_egemaps/mimii_egemaps.parquet")
    monkeypatch.chdir(tmp_path)
    exec(blocks(root, "python")[1], {})
    text = (root / "config/studies/whole_grid.yaml").read_text(encoding="utf-8")
    study = load(YAML(typ="safe").load(text))
    plan = Plan(study, tmp_path)
    assert plan.machines == {"mimii": ["fan", "pump", "slider", "valve"]}
    data = plan.datasets["mimii"]
    clips = data.clips_table("mimii", tmp_path, "pump")
    for name, content in (
        ("clips", clips),
        ("embeddings", data.embeddings("mimii", tmp_path, "egemaps", "pump")),
    ):
        tables.write(tmp_path / f"{name}.parquet", name, content, {})
    clips, embeddings = (tables.read(tmp_path / f"{name}.parquet", name) for name in ("clips", "embeddings"))
    scored = score_columns(clips, embeddings, {"knn": study.detectors["knn"]}, {})

    raw = pq.read_table(
        shared / "data/mimii_egemaps/mimii_egemaps.parquet", filters=[("machine", "=", "pump")]
    )
    rows = sorted(raw.to_pylist(), key=lambda row: (row["machine_id"], row["label"], row["clip"]))
    features = [name for name in raw.column_names if name not in ("machine", "machine_id", "label", "clip")]
    cells = {
        (unit, label): np.array(
            [
                [row[name] for name in features]
                for row in rows
                if (row["machine_id"], row["label"]) == (unit, label)
            ]
        )
        for unit in ("id_00", "id_02")
        for label in ("normal", "anomaly")
    }
    bank = np.concatenate([cells["id_00", "normal"][:990], cells["id_02", "normal"][:10]])
    mean, deviation = bank.mean(axis=0), bank.std(axis=0)

    def nearest(vectors) -> np.ndarray:
        unit, of_bank = ((one - mean) / deviation for one in (vectors, bank))
        unit, of_bank = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (unit, of_bank))
        return (1 - (unit @ of_bank.T).max(axis=1)) / 2

    anomaly = nearest(np.concatenate([cells["id_00", "anomaly"], cells["id_02", "anomaly"]]))
    kinds = list(
        zip(
            scored["split"].to_pylist(),
            scored["label"].to_pylist(),
            scored["domain"].to_pylist(),
            strict=True,
        )
    )
    found = np.asarray(scored["score"])
    of_anomaly = found[[(split, label) == ("test", "anomaly") for split, label, _ in kinds]]
    assert len(of_anomaly) == 143 + 111
    for domain, unit, trained, left in (("source", "id_00", 990, 16), ("target", "id_02", 10, 995)):
        normal = nearest(cells[unit, "normal"][trained:])
        assert len(normal) == left
        expected = np.mean([(one < anomaly).mean() for one in normal])
        of_normal = found[[kind == ("test", "normal", domain) for kind in kinds]]
        assert np.mean([(one < of_anomaly).mean() for one in of_normal]) == pytest.approx(expected, abs=2e-4)
