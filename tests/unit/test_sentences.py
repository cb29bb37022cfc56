"""Sentences of figures and report: true at one, two, many machines and systems, at ties, without spread."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import synthetic_results as synthetic

from asdflow.figures import REGISTRY, distributions, effects, heatmap, leaderboard, sensitivity, source_target
from asdflow.figures._traces import Trace
from asdflow.metrics import Difference
from asdflow.presentation import words
from asdflow.report import verdict

FIVE = ["bearing", "fan", "gearbox", "slider", "valve"]


# -- heat map ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "title"),
    [  # for each machine the value of every system, in percent
        ([(70,)], "a: AUC of bearing"),
        ([(70,), (60,)], "a: AUC of each machine"),
        ([(70, 60)], "a has the best AUC on bearing"),
        ([(70, 70)], "Both systems share the best AUC on bearing"),
        ([(70, 60), (80, 50)], "a has the best AUC on both machines"),
        ([(70, 60), (50, 80)],
         "No system wins everywhere: a and b each have the best AUC on 1 of 2 machines"),
        ([(70, 60, 9)] * 5, "a has the best AUC on all 5 machines"),
        ([(70, 70, 9)] * 5, "a and b share the best AUC on all 5 machines"),
        ([(70, 70, 70, 9)] * 2, "a, b and c share the best AUC on both machines"),
        ([(70, 70, 70, 70, 9)] * 3, "4 of 5 systems share the best AUC on all 3 machines"),
        ([(70, 70, 70)] * 3, "All 3 systems share the best AUC on all 3 machines"),
        ([(70.4, 70.1)], "Both systems share the best AUC on bearing"),  # 70 and 70 are printed
        ([(9, 8)] * 3 + [(8, 9)], "No system wins everywhere: a has the best AUC on 3 of 4 machines"),
        ([(9, 1, 1, 1), (1, 9, 1, 1), (1, 1, 9, 1), (1, 1, 1, 9)],
         "No system wins everywhere: the best AUC is shared by 4 systems"),
        ([(None, 60), (70, 60)],
         "No system wins everywhere: a and b each have the best AUC on 1 of 2 machines"),
    ],
)  # fmt: skip
def test_the_heat_map_names_who_wins_where(columns, title):
    systems = list("abcdef"[: len(columns[0])])
    cells = [
        [0.5, *(None if column[row] is None else column[row] / 100 for column in columns)]
        for row in range(len(systems))
    ]
    assert heatmap._title(systems, FIVE[: len(columns)], cells, "AUC") == title


# -- leaderboard -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("systems", "level", "title"),
    [
        (1, 0, "nn is the only system on d: 71.3, 95\u00a0% interval 66.0 to 76.4"),
        (2, 0, "nn scores best on d: 71.3, 95\u00a0% interval 66.0 to 76.4"),
        (2, 1, "Both systems score the same on d: 71.3, 95\u00a0% interval 66.0 to 76.4"),
        (9, 2, "3 systems share the best score on d, nn among them: 71.3, 95\u00a0% interval 66.0 to 76.4"),
        (9, 8, "All 9 systems score the same on d: 71.3, 95\u00a0% interval 66.0 to 76.4"),
    ],
)
def test_the_leaderboard_says_best_only_of_a_single_first(systems, level, title):
    row = {"official": 0.713, "official_low": 0.66, "official_high": 0.764, "confidence": 0.95, "units": 9}
    assert leaderboard._title("nn", "d", row, systems, level) == title
    unknown = leaderboard._title("nn", "d", row | {"units": 0}, systems, level)
    assert unknown == title.split(", 95")[0] + ", interval unknown"


# -- source and target -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gaps", "title"),
    [
        ([3.0], "AUC source is 3.0 points above AUC target"),
        ([-3.0], "AUC source is 3.0 points below AUC target"),
        ([0.04], "AUC source and AUC target are the same"),
        ([0, 0], "Both systems do as well on the source domain as on the target"),
        ([0, 0, 0], "All 3 systems do as well on the source domain as on the target"),
        ([2, 4], "Both systems do better on the source domain than on the target: median of AUC source minus "
                 "AUC target +3.0 points"),
        ([-2, -4, -6], "All 3 systems do better on the target domain than on the source: median of AUC "
                       "source minus AUC target −4.0 points"),
        ([2, 0, 0], "1 of 3 systems do better on the source domain than on the target: median of AUC source "
                    "minus AUC target +0.0 points"),
    ],
)  # fmt: skip
def test_the_scatter_says_which_domain_is_served_better(gaps, title):
    table = pl.DataFrame({"auc_source": [0.7 + gap / 100 for gap in gaps], "auc_target": [0.7] * len(gaps)})
    assert source_target._title(table) == title


# -- distributions -----------------------------------------------------------------------------------------


def groups(higher: int, machines: int, domains: bool) -> dict:
    """Machines on the first `higher` of which one median lies above the other, else both are equal."""
    one, other = (
        (("source", "normal"), ("target", "normal")) if domains else ((None, "normal"), (None, "anomaly"))
    )
    return {
        FIVE[i]: {one: np.array([1.0]), other: np.array([2.0 if i < higher else 1.0])}
        for i in range(machines)
    }


@pytest.mark.parametrize(
    ("higher", "machines", "where"),
    [
        (1, 1, "higher {} (medians) on bearing"),
        (0, 1, "no higher {} (medians) on bearing"),
        (2, 2, "higher {} (medians) on both machines"),
        (1, 2, "higher {} (medians) on 1 of 2 machines"),
        (0, 2, "higher {} (medians) on none of 2 machines"),
        (5, 5, "higher {} (medians) on all 5 machines"),
    ],
)
@pytest.mark.parametrize("domains", [True, False])
def test_the_distributions_say_on_how_many_machines_the_medians_differ(higher, machines, where, domains):
    results = SimpleNamespace(label=lambda system: "nn on yamnet")
    title = distributions._title(results, None, groups(higher, machines, domains))
    than = "than those of the source" if domains else "than normal ones"
    what = "Normal clips of the target domain" if domains else "Anomalous clips"
    assert title == f"{what} score {where.format(than)}: nn on yamnet"


# -- effects -----------------------------------------------------------------------------------------------


def test_an_effect_of_nothing_is_said_to_be_none():
    assert effects._title([0.0], ["backend"], "AUC") == "Changing the backend does not move the AUC"
    both = effects._title([0.0002, 0.0], ["backend", "pooling"], "AUC")
    assert both == "Changing the backend or pooling does not move the AUC"
    some = effects._title([0.05, 0.0], ["backend", "pooling"], "AUC")
    assert some == "Changing the backend moves the AUC by 5.0 points on average, the pooling by 0.0"


@pytest.mark.parametrize(("machines", "band"), [(1, False), (2, False), (4, False), (5, True)])
def test_an_interval_over_machines_is_drawn_only_where_it_is_more_than_the_outermost_dots(
    tmp_path, machines, band
):
    results = synthetic.make(tmp_path, synthetic.study(), machines=machines, clips=6)
    sheet = REGISTRY.build({"name": "effects"}).draw(results, "factory")
    bands = [one for axes in sheet.axes for one in axes.collections]
    assert bool(bands) == band
    assert ("Band: " in sheet.lead) == band
    assert ("interval over machines" in sheet.note) == band
    assert ("too few for an interval over machines" in sheet.lead) == (1 < machines < 5)
    assert ("one dot a machine" in sheet.lead) == (machines > 1)


def test_over_two_or_three_machines_a_bootstrap_interval_is_the_outermost_values():
    """Why none is drawn: the chance of one machine alone is 2^-2 or 3^-3, more than a tail of 2.5 %."""
    rng = np.random.default_rng(0)
    for machines, whole in ((2, True), (3, True), (5, False)):
        values = np.arange(machines, dtype=float)
        means = values[rng.integers(0, machines, (100_000, machines))].mean(axis=1)
        assert (np.quantile(means, [0.025, 0.975]).tolist() == [0.0, machines - 1.0]) == whole


# -- sweeps ------------------------------------------------------------------------------------------------


def trace(name: str, *scores: float, elsewhere: tuple = ()) -> Trace:
    rows = tuple({"official": score, "pooling": "mean"} for score in scores)
    return Trace(name, "k", tuple(range(1, len(scores) + 1)), rows, "", "yamnet, mean pooling", elsewhere)


@pytest.mark.parametrize(
    ("found", "title"),
    [
        ([trace("x", 0.5, 0.5)], "K of x does not move the official score"),
        ([trace("x", 0.5, 0.6)],
         "K of x moves the official score by 10.0 points (yamnet, mean pooling), best at 2"),
        ([trace("x", 0.6, 0.5, 0.6)],
         "K of x moves the official score by 10.0 points (yamnet, mean pooling), best at 1 and 3"),
        ([trace("x", 0.5, 0.5), trace("y", 0.5, 0.5)],
         "None of 2 swept parameters moves the official score"),
        ([trace("x", 0.5, 0.6), trace("y", 0.5, 0.5)],
         "Of 2 swept parameters, k of x moves most: the official score by 10.0 points (yamnet, mean "
         "pooling), best at 2; k of y moves it not at all"),
        ([trace("x", 0.5, 0.6), trace("y", 0.5, 0.52)],
         "Of 2 swept parameters, k of x moves most: the official score by 10.0 points (yamnet, mean "
         "pooling), best at 2; k of y moves it by 2.0"),
        ([trace("x", 0.5, 0.6), trace("y", 0.4, 0.5)],
         "Both swept parameters move the official score by 10.0 points, none by more"),
        ([trace("x", 0.5, 0.6), trace("y", 0.4, 0.5), trace("z", 0.5, 0.5)],
         "2 of 3 swept parameters move the official score by 10.0 points, none by more"),
    ],
)  # fmt: skip
def test_a_sweep_says_where_it_was_swept_and_every_value_that_is_best(found, title):
    assert sensitivity._title(found) == title


def test_a_sweep_says_in_how_many_other_places_the_same_value_is_best():
    found = trace("x", 0.5, 0.6, elsewhere=((2,), (1,), (1, 2)))
    assert "in 2 of 3 other combinations of encoder, layer and pooling the same value" in sensitivity._note(
        [found], 1
    )
    assert "other combination" not in sensitivity._note([trace("x", 0.5, 0.6)], 1)
    assert "other combination" not in sensitivity._note([trace("x", 0.5, 0.5, elsewhere=((1,),))], 1)


# -- words -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("half", "said"),
    [
        (0.0, "It has no width: every resample ranks the clips alike, which is not certainty"),
        (0.04, "It has no width: every resample ranks the clips alike, which is not certainty"),
        (0.3, "It is about ±\u00a00.3 points"),
        (0.96, "It is about ±\u00a01 points"),
        (12.4, "It is about ±\u00a012 points"),
    ],
)
def test_an_interval_is_never_said_to_be_plus_or_minus_nothing(half, said):
    assert words.width("It", half) == said


@pytest.mark.parametrize("name", ["effects", "heatmap"])
def test_without_spread_chance_is_not_said_to_move_anything(tmp_path, name, monkeypatch):
    results = synthetic.make(tmp_path, synthetic.study(poolings=1), machines=2, clips=4)
    flat = results.metrics("factory").with_columns(low=pl.col("value"), high=pl.col("value"))
    monkeypatch.setattr(results, "metrics", lambda dataset: flat)
    note = REGISTRY.build({"name": name}).draw(results, "factory").note
    assert "±" not in note and "chance alone" not in note and "has no width" in note


@pytest.mark.parametrize("name", ["leaderboard", "source_target", "heatmap", "effects"])
def test_where_intervals_are_unknown_none_is_spoken_of(tmp_path, name):
    results = synthetic.make(tmp_path, synthetic.study(poolings=1), machines=2, clips=10, units=0)
    sheet = REGISTRY.build({"name": name}).draw(results, "factory")
    said = f"{sheet.title} {sheet.lead} {sheet.note}".replace("interval unknown", "")
    assert "interval" not in said.replace("too few for an interval over machines", "")


@pytest.mark.parametrize(
    ("machines", "said"),
    [
        ([1], ["1 data set", "1 machine"]),
        ([5], ["1 data set", "5 machines"]),
        ([1, 1, 1, 1], ["4 data sets of 1 machine each"]),  # one motor in four noises is not four machines
        ([7, 7], ["2 data sets of 7 machines each"]),
        ([7, 16, 15], ["3 data sets of 7, 16 and 15 machines"]),
    ],
)
def test_machines_are_counted_by_data_set(machines, said):
    from asdflow.products.study import Study
    from asdflow.report import facts

    names = [f"d{index}" for index in range(len(machines))]
    results = SimpleNamespace(
        study=Study.from_dict(synthetic.study()),
        layers={"logmel": ["default"], "yamnet": ["layer9"]},
        datasets=names,
        machines=lambda name: ["m"] * machines[names.index(name)],
        given=lambda name: (),
    )
    assert facts.grid(results) == [*said, "2 encoders", "2 poolings", "4 detectors", "1 fusion"]


# -- verdict -----------------------------------------------------------------------------------------------


def difference(value: float, low: float, high: float) -> Difference:
    return Difference("a", "b", "official", value, low, high, 0.0, 0.0)


@pytest.mark.parametrize(
    ("found", "systems", "few", "clear", "says"),
    [
        ((0.05, 0.01, 0.09), 2, False, True, "beyond the noise of the test clips."),
        ((0.05, 0.03, 0.07), 30, False, True, "also when the choice among 30 systems is allowed for (+1.8)."),
        ((0.05, 0.02, 0.08), 100, False, False, "no longer so (−0.3) when the choice among 100 systems is"),
        ((0.05, 0.03, 0.07), 30, True, False, "rests on too few recordings to be relied on"),
        ((0.05, 0.0, 0.09), 2, False, False, "within the noise"),
        ((0.05, -0.02, 0.09), 2, False, False, "−2.0 to +9.0, within the noise"),
        ((0.05, 0.05, 0.05), 30, False, True, "+5.0 to +5.0, beyond the noise"),
        ((0.0, 0.0, 0.0), 30, False, False, "both have the same score in every resample"),
        ((0.0, -0.02, 0.02), 2, False, False, "It is level with nn; the 95 % interval"),
        ((0.0002, -0.0002, 0.02), 2, False, False, "It is level with nn; the 95 % interval of the paired "
                                                   "difference is +0.0 to +2.0"),
    ],
)  # fmt: skip
def test_clear_is_said_only_of_what_the_choice_and_the_recordings_leave_clear(
    found, systems, few, clear, says
):
    outcome = verdict.judged(difference(*found), systems, 0.95, few)
    assert outcome.clear == clear
    assert says in verdict.compared("nn", difference(*found), outcome, "95 %")


@pytest.mark.parametrize(
    ("systems", "quantile"), [(2, 1.959964), (3, 2.241403), (11, 2.807034), (51, 3.290527)]
)
def test_the_choice_widens_by_tabled_normal_quantiles(systems, quantile):
    """Two-sided 5 % over 1, 2, 10 and 50 comparisons: quantiles at 0.975, 0.9875, 0.9975 and 0.9995."""
    outcome = verdict.judged(difference(0.1, 0.1 - 1.959964, 0.1 + 1.959964), systems, 0.95, False)
    assert outcome.low == pytest.approx(0.1 - quantile, abs=1e-5)


@pytest.mark.parametrize(
    ("systems", "level", "place"),
    [
        (1, 0, "Only system"),
        (2, 0, "Best"),
        (2, 1, "Best, level with 1 other"),
        (9, 3, "Best, level with 3 others"),
    ],
)
def test_the_first_place_is_said_to_be_shared_where_it_is(systems, level, place):
    said = verdict.Verdict("nn", "70.0", "60.0 to 80.0", "95 %", "", "", (), systems, level, "", False)
    assert said.place == place


def test_an_interval_without_width_is_no_certainty(tmp_path, monkeypatch):
    results = synthetic.make(tmp_path, synthetic.study(poolings=1), machines=1, clips=10)
    board = results.leaderboard("factory").with_columns(
        official=pl.lit(1.0), official_low=pl.lit(1.0), official_high=pl.lit(1.0)
    )
    monkeypatch.setattr(results, "leaderboard", lambda dataset: board)
    said = " ".join(verdict.verdict(results, "factory").sentences)
    assert "so its interval has no width" in said
    assert "so its score is somewhat too good" in said and "lead" not in said.split("picked among")[1]
