"""What results, figures and report say of test clips without labels, or with labels that give no AUC."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import synthetic_results as synthetic

from asdflow import report
from asdflow.figures import REGISTRY
from asdflow.foundation.errors import DataError
from asdflow.presentation import plotting
from asdflow.presentation.evidence import beside, evidence, no_values
from asdflow.presentation.results import Results
from asdflow.products import tables
from asdflow.report.by_recording import by_recording, choose
from asdflow.report.facts import clip_counts
from asdflow.stages.metrics import metric_columns

Label = Callable[[str, str, str], str | None]
"""Label of a test clip from its machine, domain and true label."""

CASES: dict[str, Label] = {
    "no labels": lambda machine, domain, label: None,
    "one domain": lambda machine, domain, label: label if domain == "source" else None,
    "only normal": lambda machine, domain, label: "normal",
    "one machine": lambda machine, domain, label: label if machine == "fan" else None,
}
REASONS = {
    "no labels": "no labels: nothing to evaluate",
    "one domain": "machine Pump, section 00; 1 more section: 12 of 24 test clips have no label",
    "only normal": "machine Pump, section 00; 1 more section: no anomalous test clip among 24",
}
CLIPS = 6  # a domain and label; 24 test clips a machine, cut from 12 recordings


def changed(path: Path, kind: str, column: str, change: Callable[[dict], object]) -> None:
    """Write a product anew with other values in one column."""
    table = tables.read(path, kind)
    rows = table.select([name for name in table.column_names if name != "attributes"]).to_pylist()
    place = table.column_names.index(column)
    made = pa.array([change(row) for row in rows], table.schema.field(column).type)
    tables.write(path, kind, table.set_column(place, table.schema.field(column), made), {"made": "up"})


def finished(folder: Path, label: Label, refused: Callable[[dict], str | None] = lambda row: None) -> Results:
    """A study of two machines and three systems whose test clips have these labels; metrics of the stage."""
    config = synthetic.study({"mine": {"kind": "folder", "root": "r"}}, {"logmel": ["default"]}, 1, 2)
    results = synthetic.make(folder, config, machines=("fan", "Pump"), clips=CLIPS, cut=2)

    def relabelled(row: dict) -> str | None:
        return label(row["machine"], row["domain"], row["label"]) if row["split"] == "test" else row["label"]

    for file in sorted(folder.glob("clips/mine/*.parquet")):
        changed(file, "clips", "label", relabelled)
    files = sorted(folder.glob("scores/**/*.parquet")) + sorted(folder.glob("fusion/**/*.parquet"))
    for file in files:
        table = tables.read(file, "scores")
        rows = table.to_pylist()
        for row in rows:
            row["label"] = relabelled(row)
            if reason := refused(row):
                row |= {"score": None, "refused": reason}
        tables.write(file, "scores", pa.Table.from_pylist(rows, table.schema), {})
    names = {"dataset": "mine", "encoder": "logmel", "layer": "default", "pooling": "mean"}
    scores = {
        name: table.sort_by([(key, "ascending") for key in ("machine", "section", "split", "clip")])
        for name, table in tables.read_systems(files, results.kinds).items()
    }
    columns = metric_columns(scores, results.kinds, names, 100, 0.95)
    tables.write(folder / "metrics/mine/logmel/default/mean.parquet", "metrics", columns, {})
    return Results(folder, results.study)


def audio(dataset, row, rate):
    return synthetic.tone(row["machine"], row["clip"], 0.5, rate)


def paged(results: Results, folder: Path) -> str:
    """The page with every figure."""
    figures: dict[str, dict[str, Path]] = {"mine": {}}
    for name in REGISTRY.names():
        figures["mine"][name] = folder / f"{name}.svg"
        plotting.save(REGISTRY.build({"name": name}).draw(results, "mine"), figures["mine"][name])
    report.build(results, figures, folder / "report.html", audio)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=list(CASES))
def case(request, tmp_path_factory) -> tuple[str, Results, str]:
    """Name of the case, its results and its page."""
    folder = tmp_path_factory.mktemp("case")
    results = finished(folder, CASES[request.param])
    return request.param, results, paged(results, folder)


def test_every_machine_has_its_scores_clips_and_counts(case):
    name, results, page = case
    assert results.machines("mine") == ["fan", "Pump"]
    system = results.featured("mine")
    test = [row for row in results.scores("mine", system).to_dicts() if row["split"] == "test"]
    assert len(test) == 8 * CLIPS
    counts = clip_counts(results, "mine")
    assert [(row.machine, row.domain) for row in counts] == [
        (machine, domain) for machine in ("fan", "Pump") for domain in ("source", "target")
    ]
    for row in counts:
        labels = [CASES[name](row.machine, row.domain, true) for true in ("normal", "anomaly")]
        for kind, found in (("normal", row.normal), ("anomaly", row.anomaly), (None, row.unlabelled)):
            assert found == CLIPS * labels.count(kind)
        recordings = row.recordings
        assert recordings["normal"] + recordings["anomaly"] + recordings["unlabelled"] == 6
    assert page.count('class="card clip"') == 8  # two of the most and two of the least anomalous a machine


def test_the_leaderboard_has_a_row_a_system_with_its_value_or_the_reason(case):
    name, results, _ = case
    rows = list(csv.DictReader(io.StringIO(report.leaderboard.csv_text(results))))
    assert {row["system"] for row in rows} == {"nn", "ldn", "zmin"}
    for row in rows:
        if name == "one machine":
            assert row["official"] and not row["refused"]
            assert row["left_out"] == (
                "Not in these numbers: machine Pump, section 00: no labels: nothing to evaluate."
            )
            assert (row["normal"], row["anomaly"]) == ("12", "12")
        else:
            assert row["refused"].startswith(REASONS[name])
            assert row["rank"] == row["official"] == row["normal"] == row["left_out"] == ""


def test_the_terminal_says_what_has_no_value(case):
    name, results, _ = case
    text = report.leaderboard_text(results)
    if name == "one machine":
        assert text.startswith("mine: 3 systems, 12 normal and 12 anomalous test clips of 12 recordings")
        assert "Not in these numbers: machine Pump, section 00: no labels" in text
    else:
        assert text.startswith("mine: no system has values")
        assert f"Not computed: 3 systems, ldn on logmel default mean first: {REASONS[name]}" in text


def test_evidence_counts_what_the_values_rest_on_and_nothing_else(case):
    name, results, _ = case
    rests = evidence(results, "mine")
    clips = 2 * CLIPS if name == "one machine" else 0
    assert (rests.normal, rests.anomaly, rests.recordings) == (clips, clips, clips)


def test_the_page_says_why_there_is_no_score_and_draws_none(case):
    name, results, page = case
    if name == "one machine":
        assert no_values(results, "mine") == ""
        assert page.count(beside(results, "mine")) == 1 and "No system has an official score" not in page
        return
    reason = no_values(results, "mine")
    assert reason.startswith(REASONS[name])
    assert not beside(results, "mine")
    assert page.count("No system has an official score here") == 2
    assert "2 machines, 48 test clips of 24 recordings." in page
    drawn = [one for one in REGISTRY.names() if f'aria-label="{report.page.HEADINGS[one]}, mine"' in page]
    assert drawn == ["distributions"]


def test_figures_of_values_say_why_they_are_empty_and_distributions_are_drawn(case):
    name, results, _ = case
    sheets = {one: REGISTRY.build({"name": one}).draw(results, "mine") for one in REGISTRY.names()}
    assert "no AUC" in [text.get_text() for text in sheets["distributions"].texts]
    if name == "one machine":
        heads = [text.get_text() for text in sheets["heatmap"].texts]
        assert "fan" in heads and "Pump" not in heads
    else:
        del sheets["distributions"]
        assert {sheet.title for sheet in sheets.values()} == {"mine: nothing to draw"}
        assert all(sheet.lead.startswith(REASONS[name]) for sheet in sheets.values())


def test_every_test_recording_has_a_row_and_an_auc_where_there_is_one(case):
    name, results, _ = case
    systems = [system for _, system in choose(results, {"dataset": ["mine"]})]
    assert {system.name for system in systems} == {"nn", "ldn", "zmin"}
    rows = by_recording(results, "mine", systems[0])
    assert len(rows) == 24 and sum(row.clips for row in rows) == 48
    judged = [row for row in rows if row.auc_source is not None]
    assert {row.machine for row in judged} == ({"fan"} if name == "one machine" else set())


def test_a_data_set_that_no_system_can_score_says_why_and_shows_its_clips(tmp_path):
    config = {"no labels": CASES["no labels"], "labels": lambda machine, domain, label: label}
    for name, label in config.items():
        results = finished(tmp_path / name, label, lambda row: "needs domains")
        assert results.featured("mine") is None and results.scored("mine") == {}
        with pytest.raises(DataError, match=r"no system has a score:\n  data set mine: .*needs domains"):
            report.leaderboard.csv_text(results)
        sheet = REGISTRY.build({"name": "distributions"}).draw(results, "mine")
        assert sheet.title == "mine: no scores to draw" and "needs domains" in sheet.lead


def test_the_system_that_scores_most_sections_is_shown_where_none_has_values(tmp_path):
    def refused(row: dict) -> str | None:
        if row["detector"] == "nn":
            return "k 9" if row["machine"] == "fan" else None
        return "rank 9" if row["detector"] == "ldn" else None

    results = finished(tmp_path, CASES["no labels"], refused)
    assert results.featured("mine").name == "zmin"
    assert {system.name: number for system, number in results.scored("mine").items()} == {"nn": 1, "zmin": 2}
