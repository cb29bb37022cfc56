"""`asdflow export`: finished scores of a study in the evaluators' format."""

from __future__ import annotations

import numpy as np
import pytest
from test_exchange import CELLS
from typer.testing import CliRunner

from asdflow.commands.cli import app
from asdflow.exchange import evaluate_folder, read_folder
from asdflow.foundation.errors import ConfigError, DataError, ProductError
from asdflow.metrics import threshold
from asdflow.products import tables

MACHINES = ("fan", "shaker")
STUDY = """\
datasets:
  mine: {kind: dcase, year: 2023, machines: [fan, shaker]}
encoders:
  logmel: {name: logmel}
poolings:
  mean: {name: mean}
  max: {name: max}
detectors:
  nn: {backend: {name: knn, k: 1, metric: cosine}}
  pca: {backend: {name: pca_residual, rank: 3}}
fusions:
  zmin: {name: z_min}
"""


def score_rows(machine: str, seed: int, test: str = "test", detector: str = "nn"):
    """Columns of schema "scores" of a detector: 30 training clips, supplemental ones, test clips of CELLS."""
    rng = np.random.default_rng([seed, len(machine)])
    rows = [("train", f"{machine}/train/{i:04d}", "source", "normal", rng.gamma(4.0)) for i in range(30)]
    rows += [("supplemental", f"{machine}/supplemental/{i:04d}", None, None, 99.0) for i in range(2)]
    rows += [
        (
            test,
            f"{machine}/test/section_00_{d}_test_{a}_{i:04d}",
            d,
            a,
            rng.gamma(4.0) + 2.0 * (a == "anomaly"),
        )
        for d, a, i in CELLS
    ]
    split, clip, domain, label, score = zip(*sorted(rows), strict=True)
    columns = {"machine": [machine] * len(clip), "section": ["00"] * len(clip), "split": split, "clip": clip}
    columns |= {"domain": domain, "label": label, "recording": clip, "score": score}
    return columns | {"detector": [detector] * len(clip), "refused": [None] * len(clip)}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A working directory with a study and the scores that it asks for."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text(STUDY)
    for seed, pooling in enumerate(("mean", "max")):
        feature = f"mine/logmel/logmel/{pooling}"
        for system, backend in (("nn", "knn"), ("pca", "pca_residual")):
            for machine in MACHINES:
                file = tmp_path / "results/scores" / feature / backend / f"{machine}.parquet"
                tables.write(file, "scores", score_rows(machine, seed, detector=system), {})
        both = [score_rows(machine, 10 + seed, detector="zmin") for machine in MACHINES]
        fused = {key: [*both[0][key], *both[1][key]] for key in both[0]}
        tables.write(tmp_path / "results/fusion" / feature / "zmin.parquet", "scores", fused, {})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments) -> str:
    outcome = CliRunner().invoke(app, ["export", *map(str, arguments)])
    if outcome.exception and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_every_system_gets_a_folder_with_scores_and_decisions_of_every_machine(study):
    run("out")
    assert sorted(path.name for path in (study / "out/mine").iterdir()) == [
        f"logmel-logmel-{pooling}-{system}" for pooling in ("max", "mean") for system in ("nn", "pca", "zmin")
    ]
    for system in (study / "out/mine").iterdir():
        assert sorted(path.name for path in system.glob("*.csv")) == [
            f"{kind}_{machine}_section_00_test.csv"
            for kind in ("anomaly_score", "decision_result")
            for machine in MACHINES
        ]


def test_exported_scores_are_the_test_scores_of_the_product_and_nothing_else(study):
    run("out", "--system", "nn", "--pooling", "mean")
    (submission,) = read_folder(study / "out").values()
    columns = score_rows("fan", 0)
    rows = zip(columns["split"], columns["clip"], columns["score"], strict=True)
    expected = {f"{clip.split('/')[-1]}.wav": score for split, clip, score in rows if split == "test"}
    assert submission.scores["fan", "00"] == expected


def test_decisions_compare_with_the_threshold_from_the_training_scores_of_the_section(study):
    text = run("out", "--system", "nn", "--pooling", "mean")
    (submission,) = read_folder(study / "out").values()
    for machine in MACHINES:
        columns = score_rows(machine, 0)
        training = [
            s for s, split in zip(columns["score"], columns["split"], strict=True) if split == "train"
        ]
        limit = threshold(training).limit
        scores = submission.scores[machine, "00"]
        alarms = {name: float(score > limit) for name, score in scores.items()}
        assert submission.decisions[machine, "00"] == alarms
        assert 0 < sum(alarms.values()) < len(scores)
        assert f"  {machine} 00: threshold {limit:g} by gamma, " in text


def test_another_rule_and_quantile_can_be_asked_for(study):
    run("out", "--system", "nn", "--pooling", "mean", "--rule", "quantile", "--quantile", "0.5")
    (submission,) = read_folder(study / "out").values()
    columns = score_rows("fan", 0)
    limit = np.median([s for s, x in zip(columns["score"], columns["split"], strict=True) if x == "train"])
    alarms = sum(score > limit for score in submission.scores["fan", "00"].values())
    assert sum(submission.decisions["fan", "00"].values()) == alarms


def test_what_is_exported_can_be_evaluated(study):
    run("out", "--pooling", "max")
    found = evaluate_folder(study / "out" / "mine", rounds=100)
    assert len(found.scores) == len(found.alarms) == 3
    assert all(score.domains == "source and target" for score in found.scores.values())


def test_exporting_twice_gives_the_same_bytes(study):
    run("a", "--system", "zmin")
    run("b", "--system", "zmin")
    files = sorted(path.relative_to(study / "a") for path in (study / "a").rglob("*.csv"))
    assert files and all((study / "a" / f).read_bytes() == (study / "b" / f).read_bytes() for f in files)


def test_an_unknown_name_is_refused_with_the_nearest(study):
    with pytest.raises(ConfigError, match=r"system 'zmean': is not part of the study. Did you mean 'zmin'"):
        run("out", "--system", "zmean")
    with pytest.raises(ConfigError, match=r"dataset 'other'.*Known: mine"):
        run("out", "--dataset", "other")


def test_scores_that_were_not_computed_are_named(study):
    (study / "results/scores/mine/logmel/logmel/mean/knn/shaker.parquet").unlink()
    with pytest.raises(ProductError, match=r"knn/shaker\.parquet: does not exist\. Run snakemake"):
        run("out", "--system", "nn")


def test_clips_without_a_label_can_be_exported(study):
    columns = score_rows("fan", 0) | {"label": [None] * 52, "domain": [None] * 52}
    for machine in MACHINES:
        file = study / f"results/scores/mine/logmel/logmel/mean/knn/{machine}.parquet"
        tables.write(file, "scores", columns | {"machine": [machine] * 52}, {})
    run("out", "--system", "nn", "--pooling", "mean")
    assert len(list((study / "out").rglob("*.csv"))) == 4


def test_a_rule_of_another_name_is_refused(study):
    with pytest.raises(ConfigError, match="rule: is 'normal'"):
        run("out", "--rule", "normal")
    assert not (study / "out").exists()


def test_a_machine_without_test_clips_cannot_be_exported(study):
    file = study / "results/scores/mine/logmel/logmel/mean/knn/fan.parquet"
    tables.write(file, "scores", score_rows("fan", 0, test="supplemental"), {})
    with pytest.raises(DataError, match="machine 'fan', section '00': has no test score"):
        run("out", "--system", "nn", "--pooling", "mean")


def test_a_system_that_is_not_computed_is_not_written_and_named(study):
    columns = score_rows("fan", 0)
    columns |= {"score": [None] * len(columns["clip"]), "refused": ["k is too large"] * len(columns["clip"])}
    tables.write(study / "results/scores/mine/logmel/logmel/mean/knn/fan.parquet", "scores", columns, {})
    said = run("out", "--pooling", "mean", "--system", "nn", "--system", "pca")
    assert "logmel-logmel-mean-nn: not written, since it is not computed: k is too large" in said
    assert [path.name for path in (study / "out/mine").iterdir()] == ["logmel-logmel-mean-pca"]
