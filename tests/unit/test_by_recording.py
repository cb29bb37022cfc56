"""A row a recording: scores and AUCs of each, against loops over the clips."""

from __future__ import annotations

import csv
import statistics
from itertools import pairwise

import pytest
import synthetic_results as synthetic
from typer.testing import CliRunner

from asdflow.commands.cli import app
from asdflow.foundation.errors import ConfigError
from asdflow.report.by_recording import by_recording, choose, write


@pytest.fixture(scope="module", params=[True, False], ids=["domains", "no domains"])
def results(request, tmp_path_factory):
    study = synthetic.study(poolings=1, detectors=2)
    return synthetic.make(
        tmp_path_factory.mktemp("made"), study, machines=2, clips=9, sections=2, cut=4, domains=request.param
    )


def clips_of_best(results) -> list[dict]:
    """Test clips of the best system."""
    rows = results.scores("factory", results.systems("factory")[0]).to_dicts()
    return [row for row in rows if row["split"] == "test"]


def beaten(normal: list[float], anomalous: list[float]) -> float:
    """AUC by a loop over pairs."""
    pairs = [(a > n) + 0.5 * (a == n) for a in anomalous for n in normal]
    return sum(pairs) / len(pairs)


def same(clip: dict, row) -> bool:
    return all(
        clip[key] == getattr(row, key) for key in ("machine", "section", "recording", "domain", "label")
    )


def test_every_test_clip_is_in_one_row(results):
    clips, rows = clips_of_best(results), by_recording(results, "factory", results.systems("factory")[0])
    for row in rows:
        scores = [clip["score"] for clip in clips if same(clip, row)]
        assert row.clips == len(scores)
        assert (row.lowest, row.highest) == (min(scores), max(scores))
        assert row.mean == pytest.approx(statistics.fmean(scores), rel=1e-12)
    assert sum(row.clips for row in rows) == len(clips)


def test_own_auc_is_that_of_the_recordings_clips_against_the_other_side(results):
    clips = clips_of_best(results)
    for row in by_recording(results, "factory", results.systems("factory")[0]):
        here = [clip for clip in clips if (clip["machine"], clip["section"]) == (row.machine, row.section)]
        own = [clip["score"] for clip in here if same(clip, row)]
        for target, found in ((False, row.own_source), (True, row.own_target)):
            normal = [
                clip["score"]
                for clip in here
                if clip["label"] == "normal" and (clip["domain"] == "target") == target
            ]
            anomalous = [clip["score"] for clip in here if clip["label"] == "anomaly"]
            if row.label == "anomaly" and normal:
                assert found == pytest.approx(beaten(normal, own), abs=1e-12)
            elif row.label == "normal" and (row.domain == "target") == target:
                assert found == pytest.approx(beaten(own, anomalous), abs=1e-12)
            else:
                assert found is None


def test_an_auc_is_the_mean_of_its_recordings_counted_by_their_clips(results):
    rows = by_recording(results, "factory", results.systems("factory")[0])
    for machine, section in {(row.machine, row.section) for row in rows}:
        for label in ("normal", "anomaly"):
            part = [
                row
                for row in rows
                if (row.machine, row.section, row.label) == (machine, section, label)
                and row.auc_source is not None
            ]
            mean = sum(row.clips * row.own_source for row in part) / sum(row.clips for row in part)
            assert mean == pytest.approx(part[0].auc_source, abs=1e-12)
            assert len({row.auc_source for row in part}) == 1


def test_rows_of_a_section_begin_with_the_most_anomalous(results):
    rows = by_recording(results, "factory", results.systems("factory")[0])
    for one, other in pairwise(rows):
        if (one.machine, one.section) == (other.machine, other.section):
            assert one.mean >= other.mean


def test_a_recording_that_turns_anomalous_has_a_row_for_each_label(results):
    import polars as pl

    joined = results.scores("factory", results.systems("factory")[0]).with_columns(
        pl.lit("run").alias("recording")
    )

    class Joined:
        machines, metrics = results.machines, results.metrics
        scores = staticmethod(lambda dataset, system: joined)

    rows = by_recording(Joined, "factory", results.systems("factory")[0])
    assert {row.label for row in rows} == {"normal", "anomaly"}
    assert {row.recording for row in rows} == {"run"}


def test_without_labels_a_recording_has_scores_and_takes_part_in_no_auc(results):
    import polars as pl

    bare = results.scores("factory", results.systems("factory")[0]).with_columns(
        label=pl.lit(None, pl.String)
    )

    class Unlabelled:
        machines, metrics = results.machines, results.metrics
        scores = staticmethod(lambda dataset, system: bare)

    rows = by_recording(Unlabelled, "factory", results.systems("factory")[0])
    assert rows and {(row.label, row.auc_source, row.own_source, row.own_target) for row in rows} == {
        (None, None, None, None)
    }
    assert sum(row.clips for row in rows) == len(clips_of_best(results))


def test_the_file_has_every_recording_of_every_chosen_system(results, tmp_path):
    systems = choose(results, {"system": ["nn"], "encoder": ["yamnet"], "layer": None})
    assert [(one.name, one.encoder) for _, one in systems] == [("nn", "yamnet")]
    number = write(results, choose(results, {}), tmp_path / "recordings.csv")
    with open(tmp_path / "recordings.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == number
    assert len({(row["encoder"], row["system"]) for row in rows}) == len(results.systems("factory"))
    first = by_recording(results, "factory", results.systems("factory")[0])[0]
    assert float(rows[0]["mean"]) == pytest.approx(first.mean, rel=1e-8)


def test_a_name_that_the_study_lacks_is_refused(results):
    with pytest.raises(ConfigError, match=r"system 'lnd': has no scores in this study.*Choose of ldn, nn"):
        choose(results, {"system": ["lnd"]})


def test_the_command_writes_the_file(tmp_path, monkeypatch):
    config = synthetic.study(encoders={"logmel": ["logmel"]}, poolings=1, detectors=2, fusion=False)
    synthetic.make(tmp_path / "results", config, machines=1, clips=4)
    (tmp_path / "study.yaml").write_text(
        "datasets: {factory: {kind: factory}}\n"
        "encoders: {logmel: {name: logmel}}\n"
        "poolings: {mean: {name: mean}}\n"
        "detectors:\n"
        "  nn: {backend: {name: knn, k: 1, metric: cosine}}\n"
        "  ldn: {backend: {name: knn, k: 1, metric: cosine}, normalization: {name: density_ratio, k: 1}}\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["recordings", "out.csv", "--configfile", "study.yaml", "--system", "nn"])
    assert done.exit_code == 0, done.output
    assert "out.csv: 16 rows" in done.output
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 17
