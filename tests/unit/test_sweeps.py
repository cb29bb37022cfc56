"""Lists of values in the configuration: what they stand for, and what is refused."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from ruamel.yaml import YAML

from asdflow.config import load
from asdflow.config.schema import SWEPT, sweepable
from asdflow.foundation.errors import ConfigError
from asdflow.pipeline import build
from asdflow.presentation.results import Results
from asdflow.products.study import Study

NN = {"backend": {"name": "knn"}}


def study(detectors=None, poolings=None, **rest):
    """A checked study."""
    return load(
        {
            "datasets": {"f": {"kind": "factory"}},
            "encoders": {"logmel": {"name": "logmel"}},
            "poolings": poolings or {"mean": {"name": "mean"}},
            "detectors": detectors or {"nn": NN},
        }
        | rest
    )


def ratio(**parameters):
    return {"name": "density_ratio", **parameters}


def test_a_list_is_the_same_as_its_entries_written_out():
    values = [1, 2, 4, 8, 16, 32]
    swept = study({"ldn": NN | {"normalization": ratio(k=values)}})
    written = study({f"ldn_k{k}": NN | {"normalization": ratio(k=k)} for k in values})
    assert list(swept.detectors.items()) == list(written.detectors.items())


@pytest.mark.parametrize(
    ("axis", "entry", "names"),
    [
        ("poolings", {"name": "gem", "p": [1, 3.0, 0.5]}, ["x_p1", "x_p3", "x_p0.5"]),
        ("poolings", {"name": "gwrp", "r": [0.0, 0.7, 1.0]}, ["x_r0", "x_r0.7", "x_r1"]),
        ("poolings", {"name": "gem", "bands": ["keep", "mean"]}, ["x_bands_keep", "x_bands_mean"]),
        ("poolings", {"name": "rdp", "gamma": [1, 10]}, ["x_gamma1", "x_gamma10"]),
        ("detectors", {"backend": {"name": "pca_residual", "rank": [4, 64]}}, ["x_rank4", "x_rank64"]),
        ("detectors", {"backend": {"name": "knn", "k": [4]}}, ["x_k4"]),
        (
            "detectors",
            NN | {"normalization": [{"name": "smote", "ratio": [0.25, 1e-06]}, {"name": "zscore"}]},
            ["x_ratio0.25", "x_ratio1e-06"],
        ),
    ],
)
def test_names_say_entry_parameter_and_value(axis, entry, names):
    made = study(**{axis: {"x": entry}})
    assert list(getattr(made, axis)) == names
    assert list(made.sweeps[axis]["x"].members) == names


def test_several_lists_are_a_grid_and_parameters_called_alike_carry_their_member():
    made = study({"x": {"backend": {"name": "knn", "k": [1, 2]}, "normalization": ratio(k=[1, 4])}})
    pairs = list(itertools.product([1, 2], [1, 4]))
    assert list(made.detectors) == [f"x_knn.k{k}_density_ratio.k{n}" for k, n in pairs]
    sweep = made.sweeps["detectors"]["x"]
    assert sweep.parameters == ("knn.k", "density_ratio.k")
    assert list(sweep.members.values()) == pairs
    for (k, n), spec in zip(pairs, made.detectors.values(), strict=True):
        assert (spec["backend"]["k"], spec["normalization"][0]["k"]) == (k, n)


def test_entries_keep_their_order_around_a_sweep():
    made = study({"a": NN, "b": {"backend": {"name": "knn", "k": [2, 4]}}, "c": {"backend": {"name": "lof"}}})
    assert list(made.detectors) == ["a", "b_k2", "b_k4", "c"]
    assert list(made.sweeps["detectors"]) == ["b"]


def test_a_study_without_lists_has_no_sweeps():
    assert study().sweeps == {"poolings": {}, "detectors": {}}


BY_NATURE = {("statistics", "parts")}  # lists whatever happens


@pytest.mark.parametrize("registry", SWEPT, ids=lambda registry: registry.axis)
def test_every_parameter_that_holds_one_value_can_be_swept(registry):
    for name in registry.names():
        options = set(registry.adapter(name).json_schema().get("properties", {}))
        lists = {option for member, option in BY_NATURE if member == name}
        assert sweepable(registry, name) == options - lists, name


def test_a_list_by_nature_stays_one_entry():
    made = study(poolings={"x": {"name": "statistics", "parts": ["mean", "sd"]}})
    assert list(made.poolings) == ["x"] and made.poolings["x"]["parts"] == ["mean", "sd"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"k": [0, 1]}, r"detectors\.x\.backend\.k\.0: 0 is less than the minimum of 1"),
        ({"k": []}, r"backend\.k: \[\] should be non-empty.*a list sweeps the option"),
        ({"k": [1, 1]}, r"backend\.k: \[1, 1\] has non-unique elements.*different values"),
        ({"k": [1, "2"]}, r"backend\.k\.1: '2' is not of type 'integer'"),
        ({"k": [[1, 2]]}, r"backend\.k\.0: \[1, 2\] is not of type 'integer'"),
        ({"metric": ["cosine", "cosinus"]}, r"metric\.1: 'cosinus' is not known\. Did you mean 'cosine'"),
        ({"q": [1, 2]}, r"key 'q' is not known"),
    ],
)  # fmt: skip
def test_a_wrong_list_is_one_error_that_names_its_place(option, message):
    with pytest.raises(ConfigError, match=message):
        study({"x": {"backend": {"name": "knn", **option}}})


def test_nothing_is_no_value_of_a_sweep():
    with pytest.raises(ConfigError, match=r"normalization\.k\.1: None is not of type 'integer'"):
        study({"x": NN | {"normalization": ratio(k=[1, None])}})


def test_a_member_that_cannot_work_is_refused_at_its_entry():
    with pytest.raises(ConfigError, match=r"key detectors\.x\.normalization.*has both k = 1 and r = 0\.5"):
        study({"x": NN | {"normalization": ratio(k=[1, 2], r=0.5)}})
    with pytest.raises(ConfigError, match=r"key detectors\.x: .*meaningless for mahalanobis"):
        study({"x": {"backend": {"name": "mahalanobis"}, "normalization": ratio(k=[1, 2])}})


def test_a_name_that_another_entry_has_is_refused():
    with pytest.raises(ConfigError, match=r"'x_k2' is used by the entries 'x' and 'x_k2'"):
        study({"x": {"backend": {"name": "knn", "k": [1, 2]}}, "x_k2": NN})


def test_lists_are_refused_where_nothing_sweeps():
    with pytest.raises(ConfigError, match=r"datasets\.f\.duration_s"):
        study(datasets={"f": {"kind": "factory", "duration_s": [4.0, 10.0]}})


SWEEP = {"backend": {"name": "knn", "k": [2, 4]}}


@pytest.mark.parametrize(
    ("wanted", "members"),
    [
        (None, ("nn", "pca")),
        (["pca"], ("pca",)),
        (["s"], ("s_k2", "s_k4")),
        (["s_k4", "nn"], ("nn", "s_k4")),
        (["s", "s_k2", "nn"], ("nn", "s_k2", "s_k4")),
    ],
)
def test_a_fusion_joins_what_is_not_swept_unless_it_names_its_members(wanted, members):
    option = {} if wanted is None else {"members": wanted}
    made = study(
        {"nn": NN, "s": SWEEP, "pca": {"backend": {"name": "pca_residual"}}},
        fusions={"z": {"name": "z_min", **option}},
    )
    assert made.members == {"z": members}
    build.fusion(made.fusions["z"])  # the fusion itself knows nothing of them


def test_a_fusion_of_nothing_and_an_unknown_member_are_refused():
    with pytest.raises(ConfigError, match=r"fusions\.z: joins nothing.*members: \[s\]"):
        study({"s": SWEEP}, fusions={"z": {"name": "z_min"}})
    with pytest.raises(ConfigError, match=r"'nm' is neither a detector nor a sweep.*Did you mean 'nn'"):
        study({"nn": NN, "s": SWEEP}, fusions={"z": {"name": "z_min", "members": ["nm"]}})


def test_a_fusion_is_said_to_need_what_its_members_need_and_no_more():
    made = study(
        {"nn": NN, "dom": NN | {"normalization": {"name": "domain_standardise", "statistics": "test"}}},
        fusions={"a": {"name": "z_min", "members": ["nn"]}, "b": {"name": "z_min"}},
    )
    traits = Results("nowhere", Study.from_dict(made.as_dict())).traits
    assert not traits["a"].transductive and traits["b"].transductive


def test_swept_detectors_score_as_those_written_out():
    random = np.random.default_rng(5)
    bank, test = random.normal(size=(30, 6)), random.normal(size=(7, 6))
    made = study({"ldn": NN | {"normalization": ratio(k=[1, 4])}})
    for k, spec in zip((1, 4), made.detectors.values(), strict=True):
        plain = np.array([[_cosine(x, y) for y in bank] for x in test])
        among = np.array(
            [sorted(_cosine(x, y) for j, y in enumerate(bank) if j != i) for i, x in enumerate(bank)]
        )
        expected = (plain / among[:, :k].mean(axis=1)).min(axis=1)
        np.testing.assert_allclose(build.detector(spec).fit(bank).score_samples(test), expected, rtol=1e-9)


def _cosine(x, y) -> float:
    return (1 - float(x @ y) / float(np.sqrt(x @ x) * np.sqrt(y @ y))) / 2


def test_the_example_of_the_page_is_what_the_page_says(root):
    page = (root / "docs/sweeps.md").read_text(encoding="utf-8")
    example = YAML(typ="safe").load(re.search(r"```yaml\n(.*?)```", page, re.S)[1])
    made = study(example["detectors"])
    assert list(made.detectors) == ["nn", *(f"ldn_k{k}" for k in (1, 2, 4, 8, 16, 32))]
    assert "`ldn_k1` to `ldn_k32`" in page


def test_the_study_of_sensitivity_covers_the_ranges_of_the_literature(root):
    text = (root / "config/studies/sensitivity.yaml").read_text(encoding="utf-8")
    made = load(YAML(typ="safe").load(text))
    values = {
        (entry, parameter): {values[place] for values in sweep.members.values()}
        for entries in made.sweeps.values()
        for entry, sweep in entries.items()
        for place, parameter in enumerate(sweep.parameters)
    }
    for entry in ("neighbours", "ldn", "outliers"):
        assert {1, 64} <= values[entry, "k"]
    for entry in ("gwrp", "ldn_gwrp"):
        assert {0.0, 1.0} <= values[entry, "r"]
    assert {("gem", "p"), ("rdp", "gamma"), ("subspace", "rank"), ("variance", "variance")} <= values.keys()
