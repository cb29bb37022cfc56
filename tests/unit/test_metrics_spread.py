"""Effects of the grid's axes, and rank agreement."""

from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from asdflow.foundation.errors import ConfigError, DataError
from asdflow.metrics import agreement, contrast, effects, kendall

KEYS = ("dataset", "encoder", "layer", "pooling", "system", "kind", "machine", "section", "metric", "value")


def table(
    value, machines=("bearing", "fan"), poolings=("max", "mean"), systems=("knn", "lof", "pca"), **more
):
    """Metrics of a complete grid; `value` maps (machine, pooling, system) to a number."""
    rows = [
        (
            "d",
            "e",
            "l",
            pooling,
            system,
            "detector",
            machine,
            "00",
            "auc_target",
            value(machine, pooling, system),
        )
        for machine, pooling, system in product(machines, poolings, systems)
    ]
    return dict(zip(KEYS, map(list, zip(*rows, strict=True)), strict=True)) | more


def additive(machine, pooling, system):
    """Backends 0, 0.1 and 0.4 apart, poolings 0.02; twice that for the bearing."""
    factor = 2.0 if machine == "bearing" else 1.0
    return factor * ({"knn": 0.0, "lof": 0.1, "pca": 0.4}[system] + {"max": 0.0, "mean": 0.02}[pooling])


def by_axis(found):
    return {effect.axis: effect for effect in found}


def test_range_and_difference_are_those_of_members_with_all_else_fixed():
    found = by_axis(effects(table(additive)))
    assert list(found) == ["pooling", "backend"]  # one encoder: nothing to compare
    backend, pooling = found["backend"], found["pooling"]
    assert backend.machines == ("bearing", "fan")
    assert backend.range == pytest.approx([0.8, 0.4])
    assert backend.difference == pytest.approx([2 * 0.8 / 3, 0.8 / 3])
    assert pooling.range == pytest.approx([0.04, 0.02])
    assert (backend.members, backend.settings, pooling.members, pooling.settings) == (3, 2, 2, 3)
    assert backend.mean() == pytest.approx(0.6)


def test_the_largest_range_is_of_the_worst_setting():
    spiky = by_axis(effects(table(lambda m, p, s: 0.9 if (p, s) == ("max", "pca") else 0.5)))
    assert spiky["backend"].largest == pytest.approx([0.4, 0.4])
    assert spiky["backend"].range == pytest.approx([0.2, 0.2])


def test_shares_of_an_additive_grid_sum_to_one():
    found = by_axis(effects(table(additive)))
    total = found["backend"].share + found["pooling"].share
    assert total == pytest.approx([1.0, 1.0])
    assert (found["backend"].share > 0.99).all()


def test_a_pure_interaction_is_no_main_effect():
    cross = table(
        lambda m, p, s: 0.5 + 0.1 * (1 if (p == "max") == (s == "knn") else -1), systems=("knn", "lof")
    )
    for effect in effects(cross):
        assert effect.share == pytest.approx([0.0, 0.0])
        assert effect.range == pytest.approx([0.2, 0.2])


def test_the_difference_does_not_grow_with_the_number_of_members_but_the_range_does():
    rng = np.random.default_rng(0)
    noise = {name: rng.normal(size=400) for name in map(str, range(10))}
    machines = tuple(f"m{i:03d}" for i in range(400))
    for systems, ranges in ((("0", "1"), 1.13), (tuple(noise), 3.08)):  # expected range of 2 and 10 normals
        grid = table(lambda m, p, s: noise[s][int(m[1:])], machines, ("mean",), systems)
        (effect,) = effects(grid)
        assert effect.mean("difference") == pytest.approx(2 / np.sqrt(np.pi), rel=0.08)
        assert effect.mean("range") == pytest.approx(ranges, rel=0.08)


def test_holes_in_the_grid_leave_settings_with_one_member_out():
    grid = table(additive, machines=("fan",))
    keep = [
        i
        for i, (p, s) in enumerate(zip(grid["pooling"], grid["system"], strict=True))
        if (p, s) == ("max", "knn") or p == "mean"
    ]
    found = by_axis(effects({name: [values[i] for i in keep] for name, values in grid.items()}))
    assert (found["backend"].settings, found["pooling"].settings) == (1, 1)
    assert found["backend"].range == pytest.approx([0.4])
    assert np.isnan(found["backend"].share).all()


def test_the_interval_is_over_machines_and_needs_two():
    machines = tuple(f"m{i}" for i in range(8))
    size = dict(zip(machines, np.linspace(0.1, 0.5, 8), strict=True))
    (effect,) = effects(table(lambda m, p, s: size[m] * (s == "knn"), machines, ("mean",), ("knn", "lof")))
    low, high = effect.interval()
    assert effect.mean() == pytest.approx(0.3)
    assert low < 0.3 < high
    spread = stats.norm.ppf(0.975) * np.std(list(size.values())) / np.sqrt(8)
    assert high - low == pytest.approx(2 * spread, rel=0.15)
    assert effect.interval() == (low, high)
    (alone,) = effects(table(additive, ("fan",), ("mean",)))
    assert alone.interval() is None


def test_the_contrast_of_proportional_effects_is_certain():
    found = by_axis(effects(table(additive)))
    ratio = contrast(found["backend"], found["pooling"])
    assert (ratio.value, ratio.low, ratio.high) == (pytest.approx(20), pytest.approx(20), pytest.approx(20))
    alone = by_axis(effects(table(additive, ("fan",))))
    single = contrast(alone["backend"], alone["pooling"])
    assert (single.value, single.low, single.high) == (pytest.approx(20), None, None)


def test_contrasts_that_make_no_sense_are_refused():
    found, other = by_axis(effects(table(additive))), by_axis(effects(table(additive, ("fan",))))
    with pytest.raises(DataError, match="different machines"):
        contrast(found["backend"], other["pooling"])
    still = by_axis(effects(table(lambda m, p, s: float(s == "knn"))))
    with pytest.raises(DataError, match="axis 'pooling': has no effect"):
        contrast(still["backend"], still["pooling"])


def test_sections_of_a_machine_are_averaged():
    one, two = (
        table(additive, ("fan",)),
        table(lambda *cell: 3 * additive(*cell), ("fan",), section=["01"] * 6),
    )
    both = {name: one[name] + two[name] for name in KEYS}
    assert by_axis(effects(both))["backend"].range == pytest.approx([0.8])


def test_fusions_and_other_metrics_stay_out():
    grid = table(additive)
    fused = {name: values + values for name, values in grid.items()}
    count = len(grid["kind"])
    fused["kind"] = ["detector"] * count + ["fusion"] * count
    assert [e.range.tolist() for e in effects(fused)] == [e.range.tolist() for e in effects(grid)]
    with pytest.raises(DataError, match=r"no row of metric 'pauc'\. Its metrics: auc_target"):
        effects(grid, metric="pauc")


def test_axes_that_do_not_tell_systems_apart_are_refused():
    with pytest.raises(DataError, match=r"two values of auc_target for .*Name an axis that tells them apart"):
        effects(table(additive), axes={"backend": ("system",)})


def test_an_arrow_table_and_further_axes_do():
    grid = pa.table(table(additive) | {"family": ["distance", "distance", "subspace"] * 4})
    found = effects(grid, axes={"pooling": ("pooling",), "family": ("family", "system")})
    assert by_axis(found)["family"].members == 3


@pytest.mark.parametrize("seed", range(8))
def test_kendall_equals_scipy_with_ties(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 4, (2, 15))
    assert kendall(first, second) == pytest.approx(stats.kendalltau(first, second).statistic)


def test_kendall_of_a_constant_or_a_single_value_is_not_a_number():
    assert np.isnan(kendall([1, 1, 1], [1, 2, 3]))
    assert np.isnan(kendall([1], [1]))


def test_machines_that_rank_alike_agree_and_reversed_ones_disagree():
    order = {"a": 1, "b": 1, "c": -1}
    found = agreement(
        table(lambda m, p, s: order[m] * (len(p) + ord(s[0])), tuple(order), metric=["auc_target"] * 18),
        "auc_target",
    )
    assert found.names == ("a", "b", "c")
    assert found.tau == pytest.approx(np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]]))
    assert (found.systems == 6).all()
    assert found.mean == pytest.approx(-1 / 3)


def test_data_sets_are_compared_over_their_common_systems():
    rows = [
        (dataset, "e", "l", "mean", system, "detector", "all", "all", "official", value)
        for dataset, values in (("y23", (1, 2, 3)), ("y24", (10, 30, 20, 40)))
        for system, value in zip("abcd", values, strict=False)
    ]
    columns = dict(zip(KEYS, map(list, zip(*rows, strict=True)), strict=True))
    found = agreement(columns, between="dataset")
    assert found.names == ("y23", "y24")
    assert found.systems.tolist() == [[3, 3], [3, 4]]
    assert found.tau[0, 1] == pytest.approx(1 / 3)


def test_agreement_that_cannot_be_computed_is_refused():
    grid = table(additive)
    with pytest.raises(ConfigError, match="between: is 'year'"):
        agreement(grid, "auc_target", "year")
    two = {name: values + values for name, values in grid.items()} | {"dataset": ["x"] * 12 + ["y"] * 12}
    with pytest.raises(DataError, match="holds 2 data sets"):
        agreement(two, "auc_target")
