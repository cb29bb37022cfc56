"""Intervals: what is resampled together, that the numbers are those of a plain loop, and that they cover."""

import logging
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from asdflow.foundation.errors import ConfigError, DataError
from asdflow.metrics import evaluate, official
from asdflow.metrics.labels import labels
from asdflow.metrics.measure import SIMPLE_JOINT
from asdflow.metrics.resampled import matrix
from asdflow.metrics.resampling import units
from asdflow.products import schemas, tables


def grid(machines=("fan", "valve"), each=12, seed=0, sections=("00",), clips_of_recording=1):
    """Clips of every machine, section, domain and label, and two systems' scores."""
    cells = [(m, s, d, a) for m in machines for s in sections for d in (0, 1) for a in (0, 1)]
    rows = [(*cell, f"{cell}-{i // clips_of_recording}") for cell in cells for i in range(each)]
    machine, section, domain, anomaly, recording = (np.array(column) for column in zip(*rows, strict=True))
    rng = np.random.default_rng(seed)
    systems = {
        name: np.round(rng.normal(size=len(rows)) + gain * anomaly, 1)
        for name, gain in (("a", 1), ("b", 0.5))
    }
    return systems, {"anomaly": anomaly, "domain": domain, "machine": machine, "section": section}, recording


def pick(table, **wanted):
    """The one row that has these values."""
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    (row,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return row


def loop(score, label, weights):
    """Official terms of each resample (column of weights) by scikit-learn, one call a term."""
    values = []
    for column in weights.T.astype(int):
        rows = np.repeat(np.arange(len(score)), column)
        of_domain = [rows[(label["anomaly"][rows] == 1) | (label["domain"][rows] == d)] for d in (0, 1)]
        values.append([roc_auc_score(label["anomaly"][r], score[r]) for r in of_domain])
        values[-1].append(roc_auc_score(label["anomaly"][rows], score[rows], max_fpr=0.1))
    return np.array(values)


def test_intervals_equal_a_loop_over_scikit_learn():
    systems, label, recording = grid(machines=("fan",), clips_of_recording=3)
    rounds = 60
    table = evaluate(systems, **label, recording=recording, rounds=rounds, seed_name="loop")
    (unit,) = units(labels(**label), recording)
    weights = unit.bootstrap(rounds, "loop")[:, 1:]
    for name, score in systems.items():
        values = loop(score, label, weights)
        overall = 3.0 / (1.0 / np.maximum(values, sys.float_info.epsilon)).sum(axis=1)
        for metric, resampled in zip(
            ("auc_source", "auc_target", "pauc", "official"), (*values.T, overall), strict=True
        ):
            row = pick(table, system=name, machine="fan", metric=metric)
            low, high = np.quantile(resampled, (0.025, 0.975))
            assert (row["low"], row["high"]) == (
                pytest.approx(low, abs=1e-12),
                pytest.approx(high, abs=1e-12),
            )


def test_values_are_those_of_official_to_the_last_bit():
    systems, label, _ = grid(sections=("00", "01"))
    table = evaluate(systems, **label, rounds=40)
    for name, score in systems.items():
        found = official(score, **label)
        assert pick(table, system=name, machine="all", metric="official")["value"] == found.overall
        for row in found.table.to_pylist():
            where = {"system": name, "machine": row["machine"], "section": row["section"]}
            for metric in ("auc_source", "auc_target", "pauc", "official"):
                assert pick(table, **where, metric=metric)["value"] == row[metric]


def test_a_resample_keeps_every_strata_size_and_whole_recordings():
    _, label, recording = grid(each=12, clips_of_recording=4)
    for unit in units(labels(**label), recording):
        weights = unit.bootstrap(200, "whole")
        for name in np.unique(recording[unit.rows]):
            together = weights[recording[unit.rows] == name]
            assert (together == together[0]).all()
        cells = np.char.add(label["domain"][unit.rows].astype(str), label["anomaly"][unit.rows].astype(str))
        for cell in np.unique(cells):
            assert (weights[cells == cell].sum(axis=0) == 12).all()
        assert len(np.unique(weights[:, 1:], axis=1).T) > 1


def test_a_recording_of_normal_and_anomalous_clips_stays_whole():
    label = {"anomaly": np.array([0, 1] * 6), "domain": None, "machine": "fan"}
    recording = np.repeat([f"run{i}" for i in range(6)], 2)
    (unit,) = units(labels(**label), recording)
    assert unit.strata == ("00/source/anomaly+00/source/normal",)
    weights = unit.bootstrap(100, "run")
    assert (weights[::2] == weights[1::2]).all()


def test_the_same_resamples_meet_every_system_and_do_not_depend_on_other_machines():
    systems, label, _ = grid()
    both = evaluate(systems, **label, rounds=100)
    one = evaluate({"b": systems["b"]}, **label, rounds=100)
    assert pick(one, system="b", machine="all", metric="official") == pick(
        both, system="b", machine="all", metric="official"
    )
    fan = label["machine"] == "fan"
    alone = evaluate({"a": systems["a"][fan]}, **{k: v[fan] for k, v in label.items()}, rounds=100)
    where = {"system": "a", "machine": "fan", "metric": "pauc"}
    assert pick(alone, **where) == pick(both, **where)


def test_two_equal_systems_have_equal_intervals():
    systems, label, _ = grid()
    table = evaluate({"one": systems["a"], "two": np.exp(systems["a"])}, **label, rounds=100)
    rows = [pick(table, system=name, machine="all", metric="official") for name in ("one", "two")]
    assert [row["low"] for row in rows] == [rows[0]["low"]] * 2


def test_the_seed_name_decides_the_resamples():
    systems, label, _ = grid()
    ends = [
        pick(
            evaluate(systems, **label, rounds=100, seed_name=name), system="a", machine="all", metric="pauc"
        )["low"]
        for name in ("x", "x", "y")
    ]
    assert ends[0] == ends[1] != ends[2]


def test_blocks_of_resamples_do_not_change_a_bit(monkeypatch):
    systems, label, _ = grid()
    whole = evaluate(systems, **label, rounds=100)
    monkeypatch.setattr("asdflow.metrics.resampled._BLOCK", 1)
    assert evaluate(systems, **label, rounds=100) == whole


def test_dependent_clips_widen_the_interval():
    """Five copies of each clip say no more than one: by recording the interval stays, by clip it shrinks."""
    systems, label, _ = grid(machines=("fan",), each=10)
    copied = {name: np.repeat(values, 5) for name, values in label.items()}
    recording = np.repeat(np.arange(len(label["anomaly"])).astype(str), 5)
    score = {"a": np.repeat(systems["a"], 5)}

    def width(table):
        row = pick(table, system="a", machine="all", metric="auc_source")
        return row["high"] - row["low"]

    honest = width(evaluate({"a": systems["a"]}, **label, rounds=1000))
    by_recording = width(evaluate(score, **copied, recording=recording, rounds=1000))
    by_clip = width(evaluate(score, **copied, rounds=1000))
    assert by_recording == pytest.approx(honest, rel=0.15)
    assert by_clip == pytest.approx(honest / np.sqrt(5), rel=0.15)


def test_only_intervals_by_recording_cover_the_truth_when_clips_depend():
    """Ten recordings of five clips a label, 80 % of the variance between recordings, 95 % intervals."""
    truth = stats.norm.cdf(1 / np.sqrt(2))
    anomaly, recording = np.repeat([0, 1], 50), np.repeat([f"r{i:02d}" for i in range(20)], 5)
    rng = np.random.default_rng(1)
    systems = {
        str(i): np.repeat(rng.normal(size=20), 5) * 0.8**0.5 + rng.normal(size=100) * 0.2**0.5 + anomaly
        for i in range(150)
    }
    covered = []
    for group in (recording, None):
        table = evaluate(systems, anomaly, None, "fan", recording=group, rounds=200)
        rows = [pick(table, system=name, machine="all", metric="auc_source") for name in systems]
        covered.append(np.mean([row["low"] <= truth <= row["high"] for row in rows]))
    assert covered[0] > 0.86
    assert covered[1] < 0.76


@pytest.mark.parametrize("method", ["percentile", "bca", "jackknife"])
def test_intervals_cover_the_truth_about_as_often_as_they_say(method):
    """AUC of N(0,1) against N(1,1) is Phi(1/sqrt 2); 90 % intervals over 150 simulated data sets."""
    truth = stats.norm.cdf(1 / np.sqrt(2))
    anomaly = np.repeat([0, 1], 40)
    rng = np.random.default_rng(8)
    systems = {str(i): rng.normal(size=80) + anomaly for i in range(150)}
    table = evaluate(systems, anomaly, None, "fan", rounds=300, confidence=0.9, method=method)
    rows = [pick(table, system=name, machine="all", metric="auc_source") for name in systems]
    covered = np.mean([row["low"] <= truth <= row["high"] for row in rows])
    assert 0.84 <= covered <= 0.96


def test_the_jackknife_equals_leaving_out_one_clip_at_a_time():
    systems, label, _ = grid(each=6)
    row = pick(evaluate(systems, **label, method="jackknife"), system="a", machine="all", metric="official")
    cells = ["/".join(map(str, cell)) for cell in zip(*label.values(), strict=True)]
    variance = 0.0
    for cell in set(cells):
        left = []
        for out in [i for i, name in enumerate(cells) if name == cell]:
            rest = np.arange(len(cells)) != out
            left.append(official(systems["a"][rest], **{k: v[rest] for k, v in label.items()}).overall)
        variance += (len(left) - 1) * np.var(left)  # (n - 1) / n times the sum of squares
    assert row["high"] - row["value"] == pytest.approx(1.959963984540054 * np.sqrt(variance), rel=1e-9)
    assert row["value"] - row["low"] == pytest.approx(row["high"] - row["value"], rel=1e-9)


def test_bca_agrees_with_scipy_on_a_mean_of_wins():
    """With one lone anomaly an AUC is a mean over normal clips, which scipy can bootstrap."""
    rng = np.random.default_rng(2)
    normal = rng.normal(size=60)
    score, anomaly = np.r_[normal, 0.8], np.r_[np.zeros(60, int), 1]
    row = pick(
        evaluate({"a": score}, anomaly, None, "fan", rounds=20_000, method="bca"),
        system="a",
        machine="all",
        metric="auc_source",
    )
    wins = ((normal < 0.8).astype(float),)
    expected = stats.bootstrap(
        wins, np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    # A mean of 60 wins moves in steps of 1/60.
    assert (row["low"], row["high"]) == (
        pytest.approx(expected.low, abs=0.018),
        pytest.approx(expected.high, abs=0.018),
    )


def test_counts_are_of_the_clips_and_units_behind_each_metric():
    systems, label, recording = grid(each=12, clips_of_recording=3)
    table = evaluate(systems, **label, recording=recording, rounds=40)
    counts = [
        [
            pick(table, system="a", machine=machine, metric=metric)[key]
            for key in ("normal", "anomaly", "units")
        ]
        for machine, metric in (
            ("fan", "auc_source"),
            ("fan", "pauc"),
            ("all", "auc_target"),
            ("all", "official"),
        )
    ]
    assert counts == [[12, 24, 12], [24, 24, 16], [24, 48, 24], [48, 48, 32]]


def test_one_anomaly_is_evaluated_and_a_lone_unit_is_reported(caplog):
    score, anomaly = np.array([1.0, 2.0, 3.0, 4.0, 2.5]), [0, 0, 0, 0, 1]
    with caplog.at_level(logging.WARNING):
        table = evaluate({"a": score}, anomaly, None, "fan", rounds=100)
    row = pick(table, system="a", machine="fan", metric="auc_source")
    assert row["value"] == 0.5
    assert row["units"] == 4
    assert "00/source/anomaly has a single independent unit" in caplog.text


@pytest.mark.parametrize("method", ["percentile", "bca", "jackknife"])
def test_where_nothing_can_be_resampled_the_interval_says_that_nothing_is_known(method):
    label = {"anomaly": [0, 0, 1, 1], "domain": None, "machine": "fan"}
    table = evaluate({"a": [1.0, 2, 3, 4]}, **label, recording=["x", "x", "y", "y"], rounds=40, method=method)
    row = pick(table, system="a", machine="all", metric="official")
    assert (row["value"], row["low"], row["high"], row["units"]) == (1.0, 0.0, 1.0, 0)


def test_a_missing_domain_has_no_rows():
    table = evaluate({"a": [1.0, 2, 3, 4]}, [0, 1, 0, 1], None, "fan", rounds=40)
    assert sorted(set(table["metric"])) == ["auc_source", "official", "pauc"]


def test_another_measure_can_be_asked_for():
    systems, label, _ = grid()
    table = evaluate(systems, **label, rounds=40, measure=SIMPLE_JOINT)
    assert sorted(set(table["metric"])) == ["auc_source", "auc_target", "pauc", "simple"]


def test_the_columns_fit_the_schema_of_metrics(tmp_path):
    systems, label, _ = grid(sections=("00", "01"))
    columns = evaluate(systems, **label, rounds=40)
    names = dict.fromkeys(("dataset", "encoder", "layer", "pooling"), "x")
    names |= {"kind": "detector", "refused": None}
    count = len(columns["system"])
    tables.write(tmp_path / "m.parquet", "metrics", columns | {k: [v] * count for k, v in names.items()}, {})
    assert tables.read(tmp_path / "m.parquet", "metrics").num_rows == count == 2 * (2 * 2 + 1) * 4
    assert set(columns) | set(names) == {column.name for column in schemas.METRICS.columns}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 39}, "rounds: is 39.*at least 40"),
        ({"confidence": 1.0}, "confidence: is 1.0"),
        ({"method": "normal"}, "method: is 'normal'.*percentile, bca, jackknife"),
    ],
)
def test_impossible_intervals_are_refused(options, message):
    systems, label, _ = grid()
    with pytest.raises(ConfigError, match=message):
        evaluate(systems, **label, **options)


def test_a_bad_score_names_its_system():
    systems, label, _ = grid()
    systems["b"][7] = np.nan
    with pytest.raises(DataError, match=r"system 'b': has 1 scores that are not finite.*row 7"):
        evaluate(systems, **label)


def test_no_system_and_no_recording_name_are_refused():
    systems, label, recording = grid()
    with pytest.raises(ConfigError, match="systems: is empty"):
        evaluate({}, **label)
    with pytest.raises(DataError, match="recording: has nulls"):
        evaluate(systems, **label, recording=[None, *recording[1:]])


def test_a_machine_cannot_be_called_all():
    with pytest.raises(DataError, match="machine 'all'"):
        evaluate({"a": [1.0, 2.0]}, [0, 1], None, "all")


def test_importing_the_metrics_loads_neither_scipy_nor_sklearn_nor_torch():
    heavy = {"scipy", "sklearn", "torch", "polars"}
    code = f"import asdflow.metrics, sys; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_thousand_resamples_cost_less_than_a_fiftieth_of_a_loop_over_scikit_learn():
    """At a small size and in one run: the ratio of the benchmark, which is far above fifty."""
    import importlib.util
    import time
    from pathlib import Path

    path = Path(__file__).resolve().parents[2] / "benchmarks" / "metrics.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_metrics", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    systems, label = benchmark.study(machines=3, systems=4, clips=200)

    def seconds(work) -> float:
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin

    known = labels(**label)
    score, groups = matrix(systems, known), units(known)
    ours = min(seconds(lambda: evaluate(systems, **label, rounds=1000)) for _ in range(2))
    loop = min(seconds(lambda: benchmark.loop(score, known, groups, 3)) for _ in range(2)) * 1000 / 3
    assert ours < loop / 50
