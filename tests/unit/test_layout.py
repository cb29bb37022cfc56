"""Where products lie and which a study has."""

from __future__ import annotations

import itertools

import pytest

from asdflow.config import load
from asdflow.plan.plan import Plan
from asdflow.products import layout
from asdflow.products.layout import Grid
from asdflow.products.schemas import SCHEMAS
from asdflow.products.study import Study

CONFIG = {
    "datasets": {
        "heard": {"kind": "factory", "machines": ["fan", "valve"]},
        "brought": {"kind": "embeddings", "vectors": {"clap": "v.parquet", "m2d": "v.parquet"}},
    },
    "encoders": {"logmel": {"name": "logmel"}, "yamnet": {"name": "yamnet", "layers": ["layer5", "layer9"]}},
    "poolings": {"mean": {"name": "mean"}, "max": {"name": "max"}},
    "detectors": {
        "nn": {"backend": {"name": "knn"}},
        "ldn": {"backend": {"name": "knn"}, "normalization": {"name": "density_ratio"}},
        "maha": {"backend": {"name": "mahalanobis"}},
    },
    "fusions": {"zmin": {"name": "z_min"}, "two": {"name": "z_min", "members": ["nn", "maha"]}},
}
MACHINES = {"heard": ["fan", "valve"], "brought": ["pump"]}


@pytest.fixture(scope="module")
def study() -> Study:
    return load(CONFIG)


@pytest.fixture(scope="module")
def grid(study) -> Grid:
    return Grid(study, MACHINES)


FEATURES = [
    *(("heard", encoder, layer, pooling)
      for encoder, layer in (("logmel", "logmel"), ("yamnet", "layer5"), ("yamnet", "layer9"))
      for pooling in ("mean", "max")),
    ("brought", "clap", "given", "given"),
    ("brought", "m2d", "given", "given"),
]  # fmt: skip


def test_a_study_has_one_table_of_scores_a_feature_backend_and_machine(grid):
    expected = [
        f"results/scores/{'/'.join(feature)}/{backend}/{machine}.parquet"
        for feature in FEATURES
        for backend in ("knn", "mahalanobis")
        for machine in MACHINES[feature[0]]
    ]
    assert grid.files("scores") == expected


def test_other_products_have_the_axes_of_their_paths(grid, study):
    features = ["/".join(feature) for feature in FEATURES]
    assert grid.files("metrics") == [f"results/metrics/{feature}.parquet" for feature in features]
    assert grid.files("fusion") == [
        f"results/fusion/{feature}/{fusion}.parquet" for feature in features for fusion in ("zmin", "two")
    ]
    assert grid.files("frames") == [
        f"results/frames/heard/{encoder}/{machine}.parquet"
        for encoder, machine in itertools.product(("logmel", "yamnet"), ("fan", "valve"))
    ]
    assert grid.files("clips") == [
        f"results/clips/{dataset}/{machine}.parquet" for dataset in MACHINES for machine in MACHINES[dataset]
    ]
    assert len(grid.files("figures")) == 2 * len(study.figures)
    assert grid.files("report") == ["results/report.html"]


def test_a_choice_narrows_every_axis_and_those_that_a_product_lacks_are_no_matter(grid):
    chosen = dict(dataset="heard", layer="layer9", pooling=["mean"], backend={"knn"}, machine="fan")
    assert grid.files("scores", **chosen) == ["results/scores/heard/yamnet/layer9/mean/knn/fan.parquet"]
    assert grid.files("metrics", **chosen) == ["results/metrics/heard/yamnet/layer9/mean.parquet"]
    distances = grid.files("distances", metric=["cosine", "euclidean"], **chosen)
    assert [file.split("/")[-2] for file in distances] == ["cosine", "euclidean"]
    assert grid.files("distances", **chosen) == []


def test_what_is_not_named_stays_a_wildcard():
    assert layout.path("clips", dataset="mine") == "results/clips/mine/{machine}.parquet"
    assert layout.path("metrics", "elsewhere", dataset="d").startswith("elsewhere/metrics/d/{encoder}/")
    assert layout.log("clips") == "results/logs/clips/{dataset}/{machine}.log"
    assert layout.benchmark("obtain/{store}", store="s") == "results/benchmarks/obtain/s.tsv"


def test_every_schema_has_a_place():
    assert set(SCHEMAS) <= set(layout.PLACES)


def test_rules_scripts_and_library_write_no_path_of_a_product_themselves(root):
    files = [root / "Snakefile", *(root / "rules").glob("*.smk"), *(root / "workflow").rglob("*.py")]
    kinds = [f"results/{place.split('/')[0]}" for place in layout.PLACES.values()]
    for file in files:
        if file.name != "layout.py":
            text = file.read_text(encoding="utf-8")
            assert not [kind for kind in kinds if f'"{kind}' in text], file


def test_a_study_survives_the_way_through_the_parameters_of_a_rule(study):
    plain = study.as_dict()
    again = Study.from_dict(plain)
    assert again.as_dict() == plain
    assert (again.systems, again.backends, again.traits) == (study.systems, study.backends, study.traits)


def test_the_parts_of_a_plan_are_those_of_the_grid(study, tmp_path, monkeypatch):
    plan = Plan(study, tmp_path)
    monkeypatch.setattr(Plan, "machines", MACHINES)
    feature = dict(dataset="brought", encoder="m2d", layer="given", pooling="given")
    assert plan.score_files("ldn", **feature) == plan.score_files("nn", **feature)
    assert plan.score_files("zmin", **feature) == ["results/fusion/brought/m2d/given/given/zmin.parquet"]
    assert {file.split("/")[-2] for file in plan.fused(Wild(feature, "two"))} == {
        "knn",
        "mahalanobis",
    }
    assert set(plan.evaluated(Wild(feature))) == {
        f"results/scores/brought/m2d/given/given/{backend}/pump.parquet" for backend in ("knn", "mahalanobis")
    } | {f"results/fusion/brought/m2d/given/given/{fusion}.parquet" for fusion in ("zmin", "two")}


class Wild(dict):
    """Wildcards of a job: by key and by attribute."""

    def __init__(self, names, fusion: str = "") -> None:
        super().__init__(names, fusion=fusion)
        self.__dict__ = self
