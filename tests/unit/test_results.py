"""Products to tables: only what the study asks for, in a stated order, with what a reader must know."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic_results as synthetic

from asdflow.foundation.errors import ConfigError, ProductError
from asdflow.presentation.results import Results, System
from asdflow.products import tables
from asdflow.products.study import Study


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Results:
    return synthetic.make(tmp_path_factory.mktemp("results"), synthetic.study(), machines=3, sections=2)


def test_the_leaderboard_has_every_system_of_the_grid_once(results):
    table = results.leaderboard("factory")
    grid = {(*feature, name) for feature in results.features() for name in results.kinds}
    rows = list(table.select("encoder", "layer", "pooling", "system").iter_rows())
    assert len(rows) == len(grid) and set(rows) == grid


def test_the_leaderboard_is_sorted_by_official_score_and_equal_scores_share_a_rank(results):
    table = results.leaderboard("factory")
    scores = table["official"].to_list()
    assert scores == sorted(scores, reverse=True)
    assert table["rank"].to_list() == [1 + sum(other > score for other in scores) for score in scores]


def test_the_leaderboard_holds_the_numbers_of_the_metrics_files(results):
    row = results.leaderboard("factory").row(3, named=True)
    path = results.folder / "metrics/factory" / row["encoder"] / row["layer"] / f"{row['pooling']}.parquet"
    for one in tables.read(path, "metrics").to_pylist():
        if one["machine"] == "all" and one["system"] == row["system"]:
            metric = one["metric"]
            assert (row[metric], row[f"{metric}_low"], row[f"{metric}_high"]) == (
                one["value"],
                one["low"],
                one["high"],
            )


def test_a_machine_of_several_sections_counts_by_their_harmonic_mean(results):
    table = results.by_machine("factory")
    row = table.row(5, named=True)
    metrics = results.metrics("factory").to_dicts()
    same = ("encoder", "layer", "pooling", "system", "machine", "metric")
    values = [one["value"] for one in metrics if all(one[name] == row[name] for name in same)]
    assert len(values) == 2
    assert row["value"] == pytest.approx(2 / (1 / values[0] + 1 / values[1]), rel=1e-14)


def test_files_of_an_earlier_study_are_not_read(results, tmp_path):
    config = synthetic.study()
    synthetic.make(tmp_path, config, machines=2)
    smaller = Study.from_dict({**config, "poolings": {"mean": config["poolings"]["mean"]}})
    assert set(Results(tmp_path, smaller).leaderboard("factory")["pooling"]) == {"mean"}


def test_a_missing_product_is_named(tmp_path):
    made = synthetic.make(tmp_path, synthetic.study(), machines=2)
    lost = tmp_path / "metrics/factory/logmel/default/gem3.parquet"
    lost.unlink()
    with pytest.raises(ProductError, match=r"metrics/factory/logmel/default/gem3\.parquet.*does not exist"):
        made.leaderboard("factory")


def test_best_keeps_to_what_is_asked_for(results):
    assert results.best("factory") == results.systems("factory")[0]
    chosen = results.best("factory", "ldn", {"encoder": "logmel", "pooling": None})
    assert (chosen.name, chosen.encoder) == ("ldn", "logmel")
    others = [one for one in results.systems("factory") if (one.name, one.encoder) == ("ldn", "logmel")]
    assert chosen == others[0]


@pytest.mark.parametrize(
    "asked", [("wavelet", {}), (None, {"pooling": "median"}), (None, {"encoder": "beats"})]
)
def test_a_choice_that_the_study_lacks_is_refused_with_what_it_has(results, asked):
    with pytest.raises(ConfigError, match=r"is not part of the study.*Choose of"):
        results.best("factory", *asked)


def test_an_unknown_data_set_is_refused(results):
    with pytest.raises(ConfigError, match=r"data set 'plant': is not part of the study\. Choose of factory"):
        results.leaderboard("plant")


def test_the_featured_system_is_the_one_the_configuration_names(results):
    config = Study.from_dict({**synthetic.study(), "report": {"system": "pca95", "clips": 2}})
    assert Results(results.folder, config).featured("factory").name == "pca95"


def test_scores_and_clips_cover_every_machine(results):
    system = results.systems("factory")[0]
    scores, clips = results.scores("factory", system), results.clips("factory")
    assert sorted(scores["machine"].unique()) == sorted(results.machines("factory"))
    assert set(scores["clip"]) == set(clips["clip"])
    assert scores.height == clips.height


def test_fusion_scores_are_found_beside_detectors(results):
    system = System("logmel", "default", "mean", "fusion", "zmin")
    assert results.scores("factory", system).height == results.clips("factory").height


def test_machines_are_sorted_without_regard_to_case(tmp_path):
    made = synthetic.make(
        tmp_path, synthetic.study(poolings=1), machines=["valve", "ToyCar", "fan", "3DPrinter"]
    )
    assert made.machines("factory") == ["3DPrinter", "fan", "ToyCar", "valve"]


def test_plain_nearest_neighbour_is_recognised_by_its_parts_not_its_name():
    config = synthetic.study(detectors=9)
    config["detectors"] = dict(reversed(config["detectors"].items()))
    assert Results("nowhere", Study.from_dict(config)).plain_neighbour == "nn_euclidean"
    config["detectors"] = {"nn": config["detectors"]["ldn"]}
    assert Results("nowhere", Study.from_dict(config)).plain_neighbour is None


def test_traits_are_those_of_the_study(results):
    config = synthetic.study() | {"traits": {"ldn": {"needs_domains": True}, "zmin": {"needs_domains": True}}}
    traits = Results("nowhere", Study.from_dict(config)).traits
    assert list(traits) == ["nn", "ldn", "maha", "pca95", "zmin"]
    assert [name for name, one in traits.items() if one.labels] == ["ldn", "zmin"]
    assert traits["zmin"].labels == ("needs domains",)


def test_terms_follow_the_data(results, tmp_path):
    assert results.terms("factory") == ["auc_source", "auc_target", "pauc"]
    bare = synthetic.make(tmp_path, synthetic.study(poolings=1), machines=1, domains=False)
    assert bare.terms("factory") == ["auc_source", "pauc"]
    assert np.isfinite(bare.leaderboard("factory")["official"].to_numpy()).all()
