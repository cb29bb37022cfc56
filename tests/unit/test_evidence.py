"""Evidence: recordings are counted wherever clips are; where they are few it is said beside the numbers."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
import synthetic_results as synthetic

from asdflow import report
from asdflow.figures import REGISTRY
from asdflow.metrics.labels import labels
from asdflow.metrics.resampling import units
from asdflow.presentation.evidence import Evidence, counted, evidence
from asdflow.report.verdict import verdict


def clips(recordings: dict[str, tuple[int, int]], machine: str = "bearing") -> list[tuple]:
    """(machine, recording, section, domain, label) of recordings with so many normal and anomalous clips."""
    return [
        (machine, name, "00", None, label)
        for name, numbers in recordings.items()
        for label, number in zip(("normal", "anomaly"), numbers, strict=True)
        for _ in range(number)
    ]


def test_runs_to_failure_are_so_many_bearings_and_not_so_many_clips():
    runs = {f"run{i}": (81 + (i == 0) * 7 + i % 2, 8) for i in range(8)}
    found = counted(clips(runs))
    assert (found.recordings, found.normal_recordings, found.anomaly_recordings) == (8, 8, 8)
    assert found.text == (
        f"{81 * 8 + 7 + 4} normal and 64 anomalous test clips of 8 recordings "
        "(8 with normal clips, 8 with anomalous ones)"
    )


def test_recordings_of_one_label_are_told_by_label():
    found = counted(clips({"a": (3, 0), "b": (2, 0), "c": (0, 4)}))
    assert found.text == "5 normal and 4 anomalous test clips of 3 recordings (2 normal, 1 anomalous)"


def test_clips_that_are_recordings_are_said_to_be():
    found = counted(clips({"a": (1, 0), "b": (0, 1)}))
    assert found.text == "1 normal and 1 anomalous test clip, each a recording of its own"


def test_one_name_on_two_machines_is_two_recordings():
    assert counted(clips({"a": (2, 2)}) + clips({"a": (2, 2)}, "fan")).recordings == 2


def test_nothing_labelled_is_no_recording():
    assert counted([]) == Evidence(0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("seed", range(8))
def test_the_smallest_stratum_is_the_smallest_that_the_bootstrap_draws_from(seed):
    """Random machines, sections, domains, labels and recordings against `metrics.resampling.units`."""
    rng = np.random.default_rng(seed)
    rows = []
    kinds = (("normal",), ("anomaly",), ("normal", "anomaly"))
    for machine in ("fan", "pump"):
        for section in ("00", "01"):
            for number in range(rng.integers(3, 30)):
                domain = str(rng.choice(["source", "target"]))
                for label in kinds[number if number < 3 else rng.integers(3)]:  # each kind once
                    rows += [(machine, f"{section}{number}", section, domain, label)] * rng.integers(1, 4)
    machine, recording, section, domain, label = (list(column) for column in zip(*rows, strict=True))
    groups = units(labels(label, domain, machine, section), recording)
    sizes = [size for group in groups for size in np.bincount(group.stratum).tolist()]
    assert counted(rows).fewest_recordings == min(sizes)
    assert counted(rows).recordings == sum(len(group.stratum) for group in groups)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Two machines, each domain and label 20 clips of 4 recordings."""
    return synthetic.make(tmp_path_factory.mktemp("few"), synthetic.study(poolings=1), machines=2, cut=5)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """The same with 20 recordings."""
    return synthetic.make(tmp_path_factory.mktemp("many"), synthetic.study(poolings=1), machines=2)


def test_evidence_counts_the_clips_that_the_metrics_count(few):
    row = few.leaderboard("factory").row(0, named=True)
    found = evidence(few, "factory")
    assert (found.normal, found.anomaly) == (row["normal"], row["anomaly"]) == (80, 80)
    assert (found.recordings, found.normal_recordings, found.fewest_recordings) == (32, 16, 4)


def test_few_recordings_are_cautioned_of_wherever_an_interval_stands(few, many, tmp_path):
    caution = "some machine, domain and label has only 4"
    for results, there in ((few, True), (many, False)):
        assert (caution in verdict(results, "factory").caution) == there
        assert (caution in report.leaderboard_text(results)) == there
        for name in ("leaderboard", "heatmap", "source_target", "effects"):
            sheet = REGISTRY.build({"name": name}).draw(results, "factory")
            assert (caution in sheet.note) == there, name


@pytest.mark.parametrize("name", ["leaderboard", "heatmap", "source_target", "effects", "distributions"])
def test_every_figure_counts_recordings(few, name):
    assert (
        "of 32 recordings (16 normal, 16 anomalous)"
        in REGISTRY.build({"name": name}).draw(few, "factory").lead
    )


def test_the_leaderboard_counts_recordings_for_people_and_programs(few, tmp_path):
    report.write_leaderboard(few, tmp_path / "leaderboard.csv")
    first = report.leaderboard_text(tmp_path).splitlines()[0]
    assert first.endswith("80 normal and 80 anomalous test clips of 32 recordings (16 normal, 16 anomalous)")
    row = next(csv.DictReader(io.StringIO(report.csv_text(few))))
    names = (
        "normal",
        "anomaly",
        "recordings",
        "normal_recordings",
        "anomaly_recordings",
        "fewest_recordings",
    )
    assert [int(row[name]) for name in names] == [80, 80, 32, 16, 16, 4]


def test_a_single_recording_leaves_its_variation_out_of_the_interval():
    assert (
        "from a single one, whose variation is unknown" in counted(clips({"a": (9, 0), "b": (0, 9)})).caution
    )


@pytest.mark.parametrize(("recordings", "there"), [(2, True), (9, True), (10, False), (200, False)])
def test_fewer_than_ten_recordings_are_few(recordings, there):
    runs = {f"n{i}": (2, 0) for i in range(recordings)} | {f"a{i}": (0, 2) for i in range(recordings)}
    assert bool(counted(clips(runs)).caution) == there
