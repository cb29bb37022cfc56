"""The figure of sweeps: what it holds, what it changes, and that it can be read."""

from __future__ import annotations

import itertools

import pytest
import synthetic_results as synthetic
from test_figures import drawn

from asdflow.config import load
from asdflow.figures import REGISTRY
from asdflow.figures.sensitivity import traces
from asdflow.presentation import plotting

LDN = {"parameters": ["k"], "members": {"ldn16": [16], "ldn": [1], "ldn4": [4]}}
POOLS = {"parameters": ["p"], "members": {"mean": [1.0], "gem3": [3.0], "max": [1000.0]}}


def sweeps(detectors=None, poolings=None) -> dict:
    return {"sweeps": {"detectors": detectors or {}, "poolings": poolings or {}}}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    study = synthetic.study(poolings=3, detectors=9) | sweeps({"ldn": LDN}, {"pool": POOLS})
    return synthetic.make(tmp_path_factory.mktemp("swept"), study, machines=2, clips=6)


def draw(results, **options):
    return REGISTRY.build({"name": "sensitivity", **options}).draw(results, "factory")


def test_a_panel_changes_one_parameter_and_holds_all_else(results):
    by_entry = {trace.entry: trace for trace in traces(results, "factory")}
    assert by_entry.keys() == {"ldn", "pool"}
    ldn = by_entry["ldn"]
    assert ldn.values == (1, 4, 16)
    assert [row["system"] for row in ldn.rows] == ["ldn", "ldn4", "ldn16"]
    assert len({(row["encoder"], row["layer"], row["pooling"]) for row in ldn.rows}) == 1
    pool = by_entry["pool"]
    assert [row["pooling"] for row in pool.rows] == ["mean", "gem3", "max"]
    assert len({(row["encoder"], row["layer"], row["system"]) for row in pool.rows}) == 1


def test_everything_is_held_at_the_best_member_of_the_sweep(results):
    board = [row for row in results.leaderboard("factory").to_dicts() if row["system"] in LDN["members"]]
    best = max(board, key=lambda row: row["official"])
    trace = next(trace for trace in traces(results, "factory") if trace.entry == "ldn")
    assert best in trace.rows
    assert trace.best == (LDN["members"][best["system"]][0],)
    values = [row["official"] for row in trace.rows]
    assert trace.span == pytest.approx(max(values) - min(values))


def test_a_grid_of_two_parameters_has_a_panel_for_each(tmp_path):
    grid = {
        "parameters": ["k", "metric"],
        "members": {
            "nn": [1, "cosine"],
            "nn4": [4, "cosine"],
            "nn_euclidean": [1, "euclidean"],
            "ldn_euclidean": [4, "euclidean"],
        },
    }
    study = synthetic.study(poolings=1, detectors=9) | sweeps({"x": grid})
    found = traces(synthetic.make(tmp_path, study, machines=1, clips=4), "factory")
    assert [trace.parameter for trace in found] == ["k", "metric"]
    for place, trace in enumerate(found):
        members = [grid["members"][row["system"]] for row in trace.rows]
        assert [values[place] for values in members] == list(trace.values)
        assert len({values[1 - place] for values in members}) == 1
        assert f"{grid['parameters'][1 - place]} {members[0][1 - place]}" in trace.held


def test_the_title_states_the_largest_move_in_the_data(results):
    largest = max(traces(results, "factory"), key=lambda trace: trace.span)
    title = draw(results).title
    assert f"{largest.parameter} of {largest.entry} moves most" in title
    assert f"{100 * largest.span:.1f} points" in title


@pytest.mark.parametrize("size", ["two", "words", "many", "no domains", "unknown intervals", "simulated"])
def test_every_letter_can_be_read_and_none_touches_another_or_the_edge(tmp_path, results, size):
    options, data = {}, dict(machines=1, clips=4)
    if size == "words":
        chosen = {"w": {"parameters": ["metric"], "members": {"nn": ["cosine"], "nn4": ["euclidean"]}}}
    elif size == "many":
        names = list(synthetic.study(detectors=9)["detectors"])
        values = [1, 2, 4, 8, 16, 32, 64, 65, 66]
        chosen = {
            f"sweep{n}": {
                "parameters": ["k"],
                "members": {m: [v] for m, v in zip(names, values, strict=True)},
            }
            for n in range(5)
        }
        options = {"panels": 3}
    else:
        chosen = {"ldn": LDN}
        data |= {"no domains": {"domains": False}, "unknown intervals": {"units": 0}}.get(size, {})
    study = synthetic.study(poolings=1, detectors=9) | sweeps(chosen)
    sheet = draw(results if size == "two" else synthetic.make(tmp_path, study, **data), **options)
    wide, high = sheet.get_size_inches() * sheet.dpi
    found = drawn(sheet)
    assert min(text.get_fontsize() for text, _ in found) >= 8.0
    boxes = [(text.get_text(), box) for text, box in found]
    assert not [t for t, b in boxes if b.x0 < -0.5 or b.y0 < -0.5 or b.x1 > wide + 0.5 or b.y1 > high + 0.5]
    assert not [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(boxes, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1.0 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2.0
    ]


def test_without_a_sweep_the_sheet_says_so(tmp_path):
    results = synthetic.make(tmp_path, synthetic.study(poolings=1, detectors=2), machines=1, clips=3)
    assert "no parameter was swept" in draw(results).title


def test_a_sweep_of_one_value_is_no_panel(tmp_path):
    study = synthetic.study(poolings=1, detectors=2)
    study |= sweeps({"x": {"parameters": ["k"], "members": {"nn": [1]}}})
    assert traces(synthetic.make(tmp_path, study, machines=1, clips=3), "factory") == []


def test_the_same_results_give_the_same_bytes(results, tmp_path):
    for name in "ab":
        plotting.save(draw(results), tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(("k", "there"), [(1, False), ([1, 4], True)])
def test_it_is_drawn_unasked_only_where_something_is_swept(k, there):
    config = {
        "datasets": {"f": {"kind": "factory"}},
        "encoders": {"logmel": {"name": "logmel"}},
        "poolings": {"mean": {"name": "mean"}},
        "detectors": {"nn": {"backend": {"name": "knn", "k": k}}},
    }
    assert ("sensitivity" in load(config).figures) is there
