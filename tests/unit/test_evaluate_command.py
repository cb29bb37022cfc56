"""`asdflow evaluate`: what it prints and writes, and which labels it takes."""

from __future__ import annotations

import csv

import numpy as np
import pyarrow as pa
import pytest
from test_exchange import CELLS, clips_table, dev_name, scores_of, write
from typer.testing import CliRunner

from asdflow import metrics
from asdflow.commands.cli import app
from asdflow.foundation.errors import ConfigError, DataError
from asdflow.products import tables

MACHINES = ("ToyCar", "fan")


@pytest.fixture
def folder(tmp_path):
    """Two systems, two machines; labels in the names."""
    for seed, system in enumerate(("knn", "lof")):
        for machine in MACHINES:
            rows = scores_of(seed + len(machine))
            write(tmp_path / "in" / system / f"anomaly_score_{machine}_section_00_test.csv", rows)
    return tmp_path / "in"


def run(*arguments) -> str:
    outcome = CliRunner().invoke(app, ["evaluate", *map(str, arguments), "--rounds", "100"])
    if outcome.exception and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def expected(seed, measure=metrics.official):
    """Score of a system by the Python interface."""
    score = [number for machine in MACHINES for _, number in scores_of(seed + len(machine))]
    labels = [int(label == "anomaly") for _, label, _ in CELLS] * 2
    domains = [int(domain == "target") for domain, _, _ in CELLS] * 2
    return measure(score, labels, domains, [machine for machine in MACHINES for _ in CELLS])


def test_it_prints_the_official_score_of_every_system(folder):
    lines = {line.split()[0]: line.split() for line in run(folder).splitlines()}
    for seed, system in enumerate(("knn", "lof")):
        assert lines[system][1] == f"{100 * expected(seed).overall:.4f}"


def test_every_machine_is_printed_on_request(folder):
    text = run(folder, "--by-machine")
    (table,) = (part for part in text.split("\n\n") if part.startswith("knn\n"))
    rows = {line.split()[0]: line.split() for line in table.splitlines()}
    for row in expected(0).table.to_pylist():
        terms = [f"{100 * row[name]:.2f}" for name in ("auc_source", "auc_target", "pauc", "official")]
        clips = ["10", "10", "10", "10"]  # normal and anomalous ones, each a recording of its own
        assert rows[row["machine"]] == [row["machine"], "00", *terms, *clips]


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("simple", metrics.simple),
        ("simple_joint", lambda *labels: metrics.simple(*labels, pauc="joint")),
        ("official_2021", metrics.official_2021),
        ("official_2020", lambda score, anomaly, _, machine: metrics.official_2020(score, anomaly, machine)),
    ],
)
def test_any_measure_can_be_named(folder, name, measure):
    lines = {line.split()[0]: line.split() for line in run(folder, "--measure", name).splitlines()}
    assert lines["knn"][1] == f"{100 * expected(0, measure).overall:.4f}"


def test_an_unknown_measure_names_the_known_ones(folder):
    with pytest.raises(ConfigError, match=r"measure: is 'officia'.*official, official_2021"):
        run(folder, "--measure", "officia")


def test_systems_are_compared_in_pairs_with_a_reference(folder):
    text = run(folder, "--reference", "lof")
    difference = 100 * (expected(0).overall - expected(1).overall)
    line = next(line for line in text.split("\n\n")[1].splitlines() if line.startswith("knn"))
    assert line.split()[1] == f"{difference:+.2f}"
    with pytest.raises(ConfigError, match="Name one of knn, lof"):
        run(folder, "--reference", "gmm")


def test_only_some_machines_can_be_evaluated(folder):
    assert "ToyCar" not in run(folder, "--machine", "fan", "--by-machine")


def test_every_value_can_be_written_for_programs(folder, tmp_path):
    run(folder, "--csv", tmp_path / "values.csv")
    with open(tmp_path / "values.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    (row,) = (
        row for row in rows if (row["system"], row["machine"], row["metric"]) == ("knn", "all", "official")
    )
    assert float(row["value"]) == expected(0).overall
    assert float(row["low"]) < float(row["value"]) < float(row["high"])


@pytest.fixture
def anonymous(tmp_path):
    """Scores of clips whose names carry no label, and the clips table that does, in a folder of results."""
    names = [f"section_00_{i:04d}" for i in range(8)]
    write(
        tmp_path / "s" / "anomaly_score_fan_section_00_test.csv",
        [(f"{n}.wav", i) for i, n in enumerate(names)],
    )
    table = clips_table(names, label=["normal", "anomaly"] * 4, domain=["source"] * 4 + ["target"] * 4)
    tables.write(tmp_path / "results" / "clips" / "mine" / "fan.parquet", "clips", table, {})
    return tmp_path


@pytest.mark.parametrize("option", [("--dataset", "mine"), ("--clips", "results/clips/mine/fan.parquet")])
def test_labels_of_anonymous_clips_come_from_a_data_set(anonymous, monkeypatch, option):
    monkeypatch.chdir(anonymous)
    score = metrics.official(np.arange(8), [0, 1] * 4, [0] * 4 + [1] * 4, "fan").overall
    assert f"{100 * score:.4f}" in run("s", *option)


def test_anonymous_clips_without_labels_are_refused_with_the_remedy(anonymous):
    with pytest.raises(DataError, match="Name the data set whose clips they are"):
        run(anonymous / "s")


def test_two_sources_of_labels_are_refused(folder):
    with pytest.raises(ConfigError, match="--dataset and --year: both name the labels"):
        run(folder, "--dataset", "mine", "--year", 2023)


def test_decisions_are_judged_by_f1(folder):
    for machine in MACHINES:
        rows = [(dev_name(*cell), int(cell[1] == "anomaly")) for cell in CELLS]
        write(folder / "knn" / f"decision_result_{machine}_section_00_test.csv", rows)
    lines = {line.split()[0]: line.split() for line in run(folder).splitlines()}
    assert (lines["knn"][-1], lines["lof"][-1]) == ("100.00", "-")
    assert "mean F1: arithmetic mean of the sections' F1" in run(folder)


def test_f1_stands_in_the_table_for_programs_with_its_kind_of_mean_and_the_clips_behind_it(folder, tmp_path):
    right = {"ToyCar": 8, "fan": 2}  # alarms on this many of the 10 anomalous clips, and on no normal one
    for machine, count in right.items():
        anomalies = [cell for cell in CELLS if cell[1] == "anomaly"][:count]
        rows = [(dev_name(*cell), int(cell in anomalies)) for cell in CELLS]
        write(folder / "knn" / f"decision_result_{machine}_section_00_test.csv", rows)
    run(folder, "--csv", tmp_path / "values.csv")
    with open(tmp_path / "values.csv", newline="") as file:
        rows = {(r["machine"], r["metric"]): r for r in csv.DictReader(file) if r["system"] == "knn"}
    f1s = {machine: 2 * count / (count + 10) for machine, count in right.items()}
    assert {machine: float(rows[machine, "f1"]["value"]) for machine in right} == pytest.approx(f1s)
    assert float(rows["all", "f1_arithmetic_mean"]["value"]) == pytest.approx(sum(f1s.values()) / 2)
    assert float(rows["all", "f1_harmonic_mean"]["value"]) == pytest.approx(
        2 / sum(1 / x for x in f1s.values())
    )
    assert [rows["fan", "f1_source"][key] for key in ("normal", "anomaly", "low")] == ["5", "5", ""]
    assert "Behind each system: 20 normal test clips each a recording of its own" in run(folder)


def test_recordings_are_counted_beside_clips(tmp_path):
    names = [f"{i:04d}" for i in range(12)]
    rows = [(f"{n}.wav", i) for i, n in enumerate(names)]
    write(tmp_path / "s" / "anomaly_score_fan_section_00_test.csv", rows)
    table = clips_table(names, label=["normal", "anomaly"] * 6, domain=["source"] * 12)
    table = table.set_column(
        table.column_names.index("recording"), "recording", pa.array([f"r{i // 6}" for i in range(12)])
    )
    tables.write(tmp_path / "clips.parquet", "clips", table, {})
    arguments = (tmp_path / "s", "--clips", tmp_path / "clips.parquet", "--csv", tmp_path / "values.csv")
    text = run(*arguments, "--by-machine")
    assert "6 normal test clips of 2 recordings and 6 anomalous ones of 2 recordings." in text
    assert text.splitlines()[-1].split()[-4:] == ["6", "2", "6", "2"]
    assert "Few recordings: some machine, section, domain and label has only 2. Intervals" in text
    with open(tmp_path / "values.csv", newline="") as file:
        for row in csv.DictReader(file):
            assert (row["normal"], row["normal_recordings"], row["anomaly_recordings"]) == ("6", "2", "2")


def test_decisions_can_be_left_unread(folder):
    file = folder / "knn" / "decision_result_fan_section_00_test.csv"
    file.write_text("file,decision\n")
    with pytest.raises(DataError, match=r"line 1: 'decision' is not a finite number.*--no-decisions"):
        run(folder)
    lines = {line.split()[0]: line.split() for line in run(folder, "--no-decisions").splitlines()}
    assert lines["knn"][1] == f"{100 * expected(0).overall:.4f}"
