"""What the asdflow command does with DCASE: list, pin, compare, and judge by the organisers' labels."""

from __future__ import annotations

import json
import os

import pytest
from server import Fault, md5
from test_dcase_store import obtain
from typer.testing import CliRunner

from asdflow import metrics
from asdflow.commands.cli import app
from asdflow.datasets.dcase.labels import read_labels
from asdflow.foundation.errors import ConfigError, DataError, FetchError

LIST = "eval_data_list_2023.csv"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setenv("ASDFLOW_BACKOFF", "0.001")
    monkeypatch.setenv("ASDFLOW_RETRIES", "1")


def run(*arguments) -> str:
    outcome = CliRunner().invoke(app, list(map(str, arguments)))
    if outcome.exception and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def line(text: str, word: str) -> list[str]:
    return next(each.split() for each in text.splitlines() if each.split()[:1] == [word])


class TestData:
    def test_a_list_of_what_is_on_disk_asks_nobody(self, simulated, server, monkeypatch):
        base = simulated(2023)
        obtain(base, year=2023, subsets=["development"], machines=["fan", "valve"], keep_zip=False)
        obtain(base, year=2023, subsets=["evaluation"], machines=["shaker"])
        server.requests.clear()
        monkeypatch.chdir(base)
        text = run("data")
        assert line(text, "development")[1:9] == ["7882613", "7", "2", "of", "7", "0", "of", "7"]
        assert line(text, "evaluation")[1:9] == ["7860847", "7", "1", "of", "7", "1", "of", "7"]
        assert f"{LIST}, on disk" in text and "CC BY-NC-SA" in text and "arXiv:2305.07828" in text
        assert server.requests == []

    def test_pinning_asks_each_record_once_and_names_every_file(
        self, simulated, server, tmp_path, monkeypatch
    ):
        monkeypatch.chdir(simulated(2024))
        run("data", 2024, "--pin")
        locks = tmp_path / "resources" / "locks"
        assert sorted(path.name for path in locks.glob("*.json")) == [
            "10902294.json",
            "11259435.json",
            "11363076.json",
        ]
        files = json.loads((locks / "11259435.json").read_text())["files"]
        assert len(files) == 9 and "eval_data_3DPrinter_train_r2.zip" in files
        asked = len(server.requests)
        text = run("data", 2024, "--pin")
        assert len(server.requests) == asked == 3
        size = sum(len(body) for (record, _), body in server.files.items() if record == 10902294)
        assert f"{size:,} bytes  pinned in 10902294.json" in text

    def test_a_record_that_has_changed_since_is_an_error_with_both_values(
        self, simulated, server, monkeypatch
    ):
        monkeypatch.chdir(simulated(2024))
        run("data", 2024, "--pin", "--compare")
        old = server.files[10902294, "dev_valve.zip"]
        server.files[10902294, "dev_valve.zip"] = b"other"
        with pytest.raises(FetchError) as error:
            run("data", 2024, "--compare")
        assert md5(old) in str(error.value) and md5(b"other") in str(error.value)


class TestEvaluate:
    @pytest.fixture
    def scored(self, simulated, tmp_path, monkeypatch):
        """Score files of all evaluation machines of 2023, and the scores by machine."""
        base = simulated(2023)
        monkeypatch.chdir(base)
        obtain(base, year=2023, subsets=["evaluation"], machines=["shaker"])
        labels = read_labels(base / "data/dcase2023/labels" / LIST, 2023)
        scores = {}
        for machine, names in labels.items():
            scores[machine] = [(7 * i) % 5 + i / 100 for i in range(len(names))]
            file = base / "in" / "knn" / f"anomaly_score_{machine}_section_00_test.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            rows = zip(names, scores[machine], strict=True)
            file.write_text("".join(f"{name},{score}\n" for name, score in rows))
        return labels, scores

    def expected(self, scored) -> float:
        labels, scores = scored
        rows = [
            (score, name.label, name.domain, machine)
            for machine, names in labels.items()
            for name, score in zip(names.values(), scores[machine], strict=True)
        ]
        return metrics.official(*zip(*rows, strict=True)).overall

    def test_evaluation_machines_are_judged_by_the_organisers_list(self, scored, server):
        server.requests.clear()
        text = run("evaluate", "in", "--year", 2023, "--rounds", 100)
        assert line(text, "knn")[1] == f"{100 * self.expected(scored):.4f}"
        assert server.requests == []  # a whole list is on disk

    def test_a_list_that_is_absent_is_fetched_and_verified(self, scored, server):
        os.unlink(f"data/dcase2023/labels/{LIST}")
        server.faults[LIST] = Fault(body=b"shaker\n")
        with pytest.raises(FetchError, match="has sha256"):
            run("evaluate", "in", "--year", 2023, "--rounds", 100)
        server.faults.clear()
        text = run("evaluate", "in", "--year", 2023, "--rounds", 100)
        assert line(text, "knn")[1] == f"{100 * self.expected(scored):.4f}"

    def test_an_own_list_is_taken_instead(self, scored, server):
        os.rename(f"data/dcase2023/labels/{LIST}", "mine.csv")
        server.requests.clear()
        text = run("evaluate", "in", "--year", 2023, "--labels", "mine.csv", "--rounds", 100)
        assert line(text, "knn")[1] == f"{100 * self.expected(scored):.4f}"
        assert server.requests == []
        with pytest.raises(ConfigError, match="given without --year"):
            run("evaluate", "in", "--labels", "mine.csv")
        with pytest.raises(ConfigError, match=r"labels none\.csv: does not exist"):
            run("evaluate", "in", "--year", 2023, "--labels", "none.csv")

    def test_a_machine_that_was_not_scored_is_named(self, scored):
        os.unlink("in/knn/anomaly_score_Vacuum_section_00_test.csv")
        with pytest.raises(DataError, match="has no scores of machine 'Vacuum'"):
            run("evaluate", "in", "--year", 2023, "--rounds", 100)

    def test_a_year_without_a_list_is_refused(self, simulated, monkeypatch):
        monkeypatch.chdir(simulated(2026))
        with pytest.raises(DataError, match="labels of 2026: are in no published list"):
            run("evaluate", "in", "--year", 2026)

    @pytest.mark.parametrize(("year", "name"), [(2020, "official 2020"), (2021, "official 2021")])
    def test_a_year_is_judged_by_its_own_official_score(self, simulated, monkeypatch, year, name):
        base = simulated(year)
        monkeypatch.chdir(base)
        obtain(base, year=year, subsets=["evaluation"], machines=["fan"])
        labels = read_labels(base / f"data/dcase{year}/labels/eval_data_list_{year}.csv", year)
        word = "id" if year == 2020 else "section"
        for machine, names in labels.items():
            for i, (short, full) in enumerate(names.items()):
                file = base / "in" / f"anomaly_score_{machine}_{word}_{full.section}_test.csv"
                file.parent.mkdir(exist_ok=True)
                with open(file, "a") as lines:
                    lines.write(f"{short},{i % 7}\n")
        text = run("evaluate", "in", "--year", year, "--rounds", 100)
        assert name in text.splitlines()[0]
