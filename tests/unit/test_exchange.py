"""Score files in the evaluators' format: read, evaluated, written, and refused when they are wrong."""

import json

import numpy as np
import pyarrow as pa
import pytest

from asdflow.exchange import evaluate_folder, read_folder, write_system
from asdflow.foundation.errors import DataError
from asdflow.metrics import official, threshold
from asdflow.products import tables

CELLS = [(d, a, i) for d in ("source", "target") for a in ("normal", "anomaly") for i in range(5)]


def dev_name(domain, label, index):
    return f"section_00_{domain}_test_{label}_{index:04d}_spd_normal.wav"


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name},{number}\n" for name, number in rows), encoding="utf-8")


def scores_of(seed):
    rng = np.random.default_rng(seed)
    return [(dev_name(*cell), float(rng.normal() + (cell[1] == "anomaly"))) for cell in CELLS]


@pytest.fixture
def folder(tmp_path):
    """Two systems with two machines; the clips stand in another order in each."""
    for seed, system in enumerate(("knn", "lof")):
        for machine in ("fan", "ToyCar"):
            rows = scores_of(seed + len(machine))
            write(tmp_path / system / f"anomaly_score_{machine}_section_00_test.csv", rows[:: 1 - 2 * seed])
    return tmp_path


def clips_table(names, machine="fan", label=None, domain=None):
    """Clips table (schema "clips") of test clips."""
    count = len(names)
    columns = {
        "machine": [machine] * count,
        "section": ["00"] * count,
        "clip": names,
        "path": [f"{name}.wav" for name in names],
        "start_s": [0.0] * count,
        "duration_s": [10.0] * count,
        "domain": domain or [None] * count,
        "split": ["test"] * count,
        "label": label or [None] * count,
        "recording": names,
        "attributes": [[]] * count,
        "sample_rate": [16000] * count,
        "channels": [1] * count,
        "samples": [160000] * count,
        "sha256": [""] * count,
        "peak": [0.5] * count,
        "rms": [0.1] * count,
        "warnings": [[]] * count,
    }
    from asdflow.products.schemas import CLIPS

    return pa.table(columns, schema=CLIPS.arrow())


def test_labels_come_from_the_names_and_clips_are_matched_by_name_not_by_line(folder):
    found = evaluate_folder(folder, rounds=40)
    assert sorted(found.scores) == ["knn", "lof"]
    for seed, system in enumerate(("knn", "lof")):
        rows = {machine: scores_of(seed + len(machine)) for machine in ("ToyCar", "fan")}
        expected = official(
            [number for part in rows.values() for _, number in part],
            [int(a == "anomaly") for _, a, _ in CELLS] * 2,
            [int(d == "target") for d, _, _ in CELLS] * 2,
            [machine for machine in rows for _ in CELLS],
        )
        assert found.scores[system].overall == pytest.approx(expected.overall, abs=1e-15)
    assert set(found.metrics["machine"]) == {"ToyCar", "fan", "all"}


def test_the_leaderboard_is_sorted_and_in_percent(folder):
    found = evaluate_folder(folder, rounds=40)
    lines = str(found).splitlines()
    assert lines[0].split()[:2] == ["system", "official"]
    assert [line.split()[0] for line in lines[1:3]] == found.ranking()
    best = found.ranking()[0]
    assert float(lines[1].split()[1]) == pytest.approx(100 * found.scores[best].overall, abs=0.005)


def test_a_single_system_may_lie_in_the_folder_itself(folder):
    assert list(evaluate_folder(folder / "knn", rounds=40).scores) == ["knn"]


def test_only_some_machines_can_be_evaluated(folder):
    (folder / "lof" / "anomaly_score_ToyCar_section_00_test.csv").unlink()
    found = evaluate_folder(folder, machines=["fan"], rounds=40)
    assert found.scores["lof"].table.column("machine").to_pylist() == ["fan"]
    with pytest.raises(DataError, match=r"machine 'pump'.*There are: ToyCar, fan"):
        evaluate_folder(folder, machines=["pump"])


@pytest.mark.parametrize(
    "name",
    [
        "anomaly_score_fan_section_00_test.csv",
        "anomaly_score_fan_section_00.csv",
        "anomaly_score_fan_section_00_target_test.csv",
        "anomaly_score_fan_id_00.csv",
        "anomaly_score_fan_id_00_test.csv",
    ],
)
def test_file_names_of_every_year_are_read(tmp_path, name):
    write(tmp_path / name, [("normal_id_00_0.wav", 1), ("anomaly_id_00_1.wav", 2)])
    (submission,) = read_folder(tmp_path).values()
    assert list(submission.scores) == [("fan", "00")]
    assert evaluate_folder(tmp_path, rounds=40).scores[tmp_path.name].overall == 1.0


def test_a_domain_may_stand_in_the_name_of_the_file(tmp_path):
    for domain, high in (("source", 2), ("target", 0)):
        rows = [
            (f"section_03_{domain[0]}{i}_{a}.wav", high * (a == "anomaly"))
            for i, a in enumerate(("normal", "anomaly"))
        ]
        write(tmp_path / f"anomaly_score_fan_section_03_{domain}_test.csv", rows)
    (score,) = evaluate_folder(tmp_path, rounds=40).scores.values()
    row = score.table.to_pylist()[0]
    assert (row["auc_source"], row["auc_target"]) == (0.75, 0.75)
    assert score.domains == "source and target"


def test_anonymous_names_get_their_labels_from_the_clips_table(tmp_path):
    names = [f"section_00_{i:04d}" for i in range(8)]
    write(
        tmp_path / "s" / "anomaly_score_fan_section_00_test.csv",
        [(f"{n}.wav", i) for i, n in enumerate(names)],
    )
    table = clips_table(
        [f"fan/test/{name}" for name in names],
        label=["normal", "anomaly"] * 4,
        domain=["source"] * 4 + ["target"] * 4,
    )
    expected = official(range(8), [0, 1] * 4, [0] * 4 + [1] * 4, "fan").overall
    assert evaluate_folder(tmp_path, table, rounds=40).scores["s"].overall == expected
    tables.write(tmp_path / "clips" / "fan.parquet", "clips", table, {})
    assert evaluate_folder(tmp_path, tmp_path / "clips", rounds=40).scores["s"].overall == expected
    with pytest.raises(DataError, match=r"fan/section_00_0000: has no label in its name, like 7 other"):
        evaluate_folder(tmp_path)


def listed(machines, count=4):
    """Evaluation labels as `read_labels` gives them: alternately normal and anomalous, halves of a domain."""
    from asdflow.clips.dcase_names import ClipName

    return {
        machine: {
            f"section_00_{i:04d}.wav": ClipName(
                "00",
                f"{i:04d}",
                domain="target" if i >= count // 2 else "source",
                label=("normal", "anomaly")[i % 2],
            )
            for i in range(count)
        }
        for machine in machines
    }


def test_anonymous_names_get_their_labels_from_the_organisers_list(tmp_path):
    rows = [(f"section_00_{i:04d}.wav", float(i)) for i in range(4)]
    write(tmp_path / "s" / "anomaly_score_shaker_section_00_test.csv", rows)
    found = evaluate_folder(tmp_path, listed(["shaker"]), rounds=40)
    expected = official(range(4), [0, 1, 0, 1], [0, 0, 1, 1], "shaker")
    assert found.scores["s"].overall == expected.overall
    assert found.scores["s"].domains == "source and target"


def test_development_names_keep_their_own_labels_beside_a_list(folder):
    rows = [(f"section_00_{i:04d}.wav", float(i)) for i in range(4)]
    for system in ("knn", "lof"):
        write(folder / system / "anomaly_score_shaker_section_00_test.csv", rows)
    found = evaluate_folder(folder, listed(["shaker"]), rounds=40)
    assert found.scores["knn"].table.column("machine").to_pylist() == ["ToyCar", "fan", "shaker"]


def test_a_machine_of_the_list_that_nobody_scores_is_missing(tmp_path):
    rows = [(f"section_00_{i:04d}.wav", float(i)) for i in range(4)]
    write(tmp_path / "s" / "anomaly_score_shaker_section_00_test.csv", rows)
    labels = listed(["shaker", "Vacuum"])
    with pytest.raises(DataError, match="system 's': has no scores of machine 'Vacuum'"):
        evaluate_folder(tmp_path, labels, rounds=40)
    only = evaluate_folder(tmp_path, labels, machines=["shaker"], rounds=40)
    assert only.scores["s"].table.num_rows == 1
    with pytest.raises(DataError, match=r"the list of labels has no such machine\. It has Vacuum"):
        evaluate_folder(tmp_path, listed(["Vacuum"]), rounds=40)


def test_clips_of_one_name_in_two_folders_go_by_their_whole_identity(tmp_path):
    clips = ["fan/abnormal/0000", "fan/normal/0000", "fan/normal/0001"]
    write(
        tmp_path / "anomaly_score_fan_section_00_test.csv",
        [(f"{n}.wav", i) for n, i in zip((*clips[:2], "0001"), (3, 1, 2), strict=True)],
    )
    table = clips_table(clips, label=["anomaly", "normal", "normal"])
    (score,) = evaluate_folder(tmp_path, table, rounds=40).scores.values()
    assert score.overall == 1.0
    assert score.domains == "source only"


def test_recordings_of_the_clips_table_are_resampled(tmp_path):
    names = [f"c{i:02d}" for i in range(40)]
    rng = np.random.default_rng(0)
    write(tmp_path / "anomaly_score_fan_section_00_test.csv", [(n, rng.normal()) for n in names])
    table = clips_table(names, label=["normal"] * 20 + ["anomaly"] * 20)
    grouped = table.set_column(
        table.column_names.index("recording"), "recording", pa.array([f"r{i // 5}" for i in range(40)])
    )
    assert max(evaluate_folder(tmp_path, table, rounds=40).metrics["units"]) == 40
    assert max(evaluate_folder(tmp_path, grouped, rounds=40).metrics["units"]) == 8


def test_decisions_are_judged_where_they_are_handed_in(folder):
    for machine in ("fan", "ToyCar"):
        rows = [(dev_name(*cell), int(cell[1] == "anomaly")) for cell in CELLS]
        write(folder / "knn" / f"decision_result_{machine}_section_00_test.csv", rows)
    found = evaluate_folder(folder, rounds=40)
    assert list(found.alarms) == ["knn"]
    assert found.alarms["knn"].overall == 1.0
    assert "100.00" in next(line for line in str(found).splitlines() if line.startswith("knn"))


def spoil(folder, what):
    """Break one thing in the folder of two systems."""
    file = folder / "knn" / "anomaly_score_fan_section_00_test.csv"
    lines = file.read_text().splitlines()
    if what == "machine":
        file.unlink()
    elif what == "duplicate file":
        (file.parent / "anomaly_score_fan_section_00.csv").write_text(file.read_text())
    elif what == "duplicate clip":
        file.write_text("\n".join([*lines, lines[0]]))
    elif what == "number":
        file.write_text("\n".join([lines[0], lines[1].split(",")[0] + ",high", *lines[2:]]))
    elif what == "nan":
        file.write_text("\n".join([lines[0].split(",")[0] + ",nan", *lines[1:]]))
    elif what == "header":
        file.write_text("\n".join(["file,score", *lines]))
    elif what == "fields":
        file.write_text("\n".join([*lines, "a,1,2"]))
    elif what == "missing clip":
        file.write_text("\n".join(lines[1:]))
    elif what == "decision":
        write(file.parent / "decision_result_fan_section_00_test.csv", [(dev_name(*CELLS[0]), 2)])
    elif what == "decision file":
        write(
            file.parent / "decision_result_fan_section_00_test.csv", [(dev_name(*cell), 1) for cell in CELLS]
        )


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("machine", "system 'knn': has no scores of machine 'fan', section '00'"),
        ("duplicate file", r"is a second file for machine 'fan', section '00', beside anomaly_score"),
        ("duplicate clip", "names 'section_00_source_test_normal_0000_spd_normal.wav' twice"),
        ("number", "anomaly_score_fan_section_00_test.csv, line 2: 'high' is not a finite number"),
        ("nan", "line 1: 'nan' is not a finite number"),
        ("header", "line 1: 'score' is not a finite number. The format has no header"),
        ("fields", "line 21: has 3 fields"),
        (
            "missing clip",
            "system 'knn': lacks scores of 1 of 40 clips, first 'section_00_source_test_normal_0000",
        ),
        ("decision", "line 1: '2' is no decision"),
        ("decision file", "system 'knn': has no decisions of machine 'ToyCar'"),
    ],
)
def test_wrong_files_are_named_with_the_remedy(folder, what, message):
    spoil(folder, what)
    with pytest.raises(DataError, match=message):
        evaluate_folder(folder, rounds=40)


def test_clips_and_machines_that_the_table_does_not_know_are_refused(tmp_path):
    write(tmp_path / "anomaly_score_fan_section_00_test.csv", [("a.wav", 1), ("b.wav", 2), ("c.wav", 3)])
    table = clips_table(["a", "b"], label=["normal", "anomaly"])
    with pytest.raises(DataError, match="has scores of 1 unknown clips, first 'c' of machine 'fan'"):
        evaluate_folder(tmp_path, table)
    with pytest.raises(DataError, match="has no scores of machine 'pump'"):
        evaluate_folder(tmp_path, clips_table(["a", "b"], "pump", ["normal", "anomaly"]))
    write(tmp_path / "anomaly_score_pump_section_00_test.csv", [("a.wav", 1)])
    with pytest.raises(
        DataError, match=r"of machine 'pump', section '00', which the labels do not know.*Known: fan 00"
    ):
        evaluate_folder(tmp_path, clips_table(["a", "b", "c"], label=["normal", "anomaly", "normal"]))


def test_unlabelled_clips_of_the_table_are_counted(tmp_path):
    write(tmp_path / "anomaly_score_fan_section_00_test.csv", [("a.wav", 1), ("b.wav", 2)])
    with pytest.raises(DataError, match="unknown for 2 of 2 test clips"):
        evaluate_folder(tmp_path, clips_table(["a", "b"]))


def test_a_folder_without_score_files_is_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"holds no score file.*anomaly_score_<machine>_section_<nn>_test.csv"
    ):
        evaluate_folder(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        evaluate_folder(tmp_path / "absent")


@pytest.fixture
def product():
    """Scores (schema "scores") of one machine: ten training clips, the test clips of CELLS."""
    rng = np.random.default_rng(6)
    train = [("train", f"fan/train/{i:04d}", "source", "normal", rng.normal()) for i in range(10)]
    test = [("test", f"fan/test/{dev_name(d, a, i)[:-4]}", d, a, rng.normal() * 1e-7) for d, a, i in CELLS]
    split, clip, domain, label, score = zip(*train, *test, strict=True)
    count = len(clip)
    columns = {"machine": ["fan"] * count, "section": ["00"] * count, "split": split, "clip": clip}
    return pa.table(columns | {"domain": domain, "label": label, "recording": clip, "score": score})


def test_what_is_written_reads_back_to_the_same_numbers(tmp_path, product):
    written = write_system(tmp_path / "mine", product)
    assert [file.name for file in written.files] == [
        "anomaly_score_fan_section_00_test.csv",
        "decision_result_fan_section_00_test.csv",
    ]
    submission = read_folder(tmp_path)["mine"]
    rows = product.to_pylist()
    test = {row["clip"].split("/")[-1] + ".wav": row["score"] for row in rows if row["split"] == "test"}
    limit = threshold([row["score"] for row in rows if row["split"] == "train"]).limit
    assert submission.scores["fan", "00"] == test
    assert submission.decisions["fan", "00"] == {name: float(score > limit) for name, score in test.items()}
    found = evaluate_folder(tmp_path, rounds=40)
    expected = official(
        list(test.values()),
        [row["label"] for row in rows if row["split"] == "test"],
        [row["domain"] for row in rows if row["split"] == "test"],
        "fan",
    )
    assert found.scores["mine"].overall == expected.overall
    assert list(found.alarms) == ["mine"]


def test_writing_twice_gives_the_same_bytes(tmp_path, product):
    first = [file.read_bytes() for file in write_system(tmp_path / "a", product).files]
    shuffled = product.take(np.random.default_rng(0).permutation(product.num_rows))
    assert [file.read_bytes() for file in write_system(tmp_path / "b", shuffled).files] == first
    assert b"\r" not in first[0]


def test_thresholds_are_kept_with_the_share_of_training_clips_above_them(tmp_path, product):
    write_system(tmp_path, product, rule="quantile", quantile=0.5)
    (kept,) = json.loads((tmp_path / "thresholds.json").read_text())
    rows = product.to_pylist()
    training = [row["score"] for row in rows if row["split"] == "train"]
    assert (kept["machine"], kept["section"], kept["rule"], kept["quantile"]) == (
        "fan",
        "00",
        "quantile",
        0.5,
    )
    assert (kept["limit"], kept["share"], kept["clips"]) == (np.median(training), 0.5, 10)


def test_a_table_without_training_scores_cannot_be_exported(tmp_path, product):
    test_only = product.filter(pa.compute.equal(product.column("split"), "test"))
    with pytest.raises(DataError, match="machine 'fan', section '00': has no train score"):
        write_system(tmp_path, test_only)
    assert list(tmp_path.iterdir()) == []
