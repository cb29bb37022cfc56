"""The configuration: one schema for programs, editors and people; errors that name line, key and remedy."""

from __future__ import annotations

import copy
import json

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from asdflow import backends, datasets, encoders, figures, fusion, normalizations, poolings
from asdflow.config import documentation, load, reading, schema
from asdflow.foundation.errors import ConfigError

MINIMAL = {
    "datasets": {"own": {"kind": "factory"}},
    "encoders": {"logmel": {"name": "logmel"}},
    "poolings": {"mean": {"name": "mean"}},
    "detectors": {"nn": {"backend": {"name": "knn", "k": 1}}},
}
REGISTRIES = (datasets, encoders, poolings, backends, normalizations, fusion, figures)


def changed(path: str, value) -> dict:
    """The minimal study with one value set; `path` is dotted."""
    config = copy.deepcopy(MINIMAL)
    *parents, last = path.split(".")
    here = config
    for key in parents:
        here = here.setdefault(key, {})
    here[last] = value
    return config


def studies(root):
    return sorted((root / "config").glob("*.yaml")) + sorted((root / "config/studies").glob("*.yaml"))


# No drift


def test_the_committed_schema_is_the_one_that_the_code_makes(root):
    committed = (root / "config/schemas/config.schema.json").read_text(encoding="utf-8")
    assert committed == schema.text(), "run `make docs` and commit config/schemas/config.schema.json"


def test_the_committed_page_of_options_is_the_one_that_the_code_makes(root, tmp_path):
    documentation.write(tmp_path / "README.md")
    committed = (root / "config/README.md").read_text(encoding="utf-8")
    assert committed == (tmp_path / "README.md").read_text(encoding="utf-8"), "run `make docs` and commit it"


def test_the_schema_is_a_valid_schema():
    Draft202012Validator.check_schema(json.loads(schema.text()))


def test_editors_accept_the_committed_studies_and_not_a_wrong_key(root):
    validator = Draft202012Validator(json.loads((root / "config/schemas/config.schema.json").read_text()))
    for file in studies(root):
        assert not list(validator.iter_errors(reading.read([file]))), file
    assert list(validator.iter_errors(changed("detectors.nn.backend", {"name": "knn", "kk": 1})))


@pytest.mark.parametrize("registry", [axis.REGISTRY for axis in REGISTRIES], ids=lambda r: r.axis)
def test_every_member_and_every_parameter_is_explained(registry, root):
    page = (root / "config/README.md").read_text(encoding="utf-8")
    for name in registry.names():
        assert f"`{name}`" in page
        for parameter, facts in registry.adapter(name).json_schema().get("properties", {}).items():
            assert f"`{parameter}`" in page
            assert facts.get("description") or "$ref" in facts or "allOf" in facts, (name, parameter)


def test_defaults_of_the_page_are_those_of_the_code():
    study = load(MINIMAL)
    assert study.metrics["rounds"] == 1000 and study.metrics["confidence"] == 0.95
    text = documentation.text()
    assert "| `metrics.rounds` | integer ≥ 100 | `1000` |" in text


def test_every_committed_study_is_valid(root):
    files = studies(root)
    assert {"config.yaml", "demo.yaml"} <= {file.name for file in files}
    for file in files:
        study = load(YAML(typ="safe").load(file.read_text(encoding="utf-8")), [file])
        assert study.detectors


def test_every_committed_study_tells_editors_its_schema(root):
    for file in studies(root):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema=")
        assert (file.parent / first.split("=", 1)[1]).resolve().is_file()


# Normal form


def test_writing_a_default_out_does_not_change_a_study():
    assert load(MINIMAL) == load(changed("detectors.nn.backend", {"name": "knn", "k": 1, "metric": "cosine"}))


def test_a_normal_form_holds_every_parameter():
    spec = load(MINIMAL).detectors["nn"]
    assert spec["backend"] == {"name": "knn", "k": 1, "metric": "cosine"} | spec["backend"]
    assert spec["normalization"] == [{"name": "none"}]


# Errors


@pytest.mark.parametrize(
    "path,value,where,said",
    [
        ("poolling", {}, "poolling", "poolings"),
        ("detectors.nn.backend", {"name": "kn"}, "detectors.nn.backend.name", "knn"),
        ("detectors.nn.backend", {"name": "knn", "kk": 1}, "detectors.nn.backend.kk", "k"),
        ("detectors.nn.backend", {"name": "knn", "k": 0}, "detectors.nn.backend.k", "0"),
        ("detectors.nn.backend", {"name": "knn", "k": "one"}, "detectors.nn.backend.k", "one"),
        ("detectors.nn.backend", {"name": "knn", "metric": "cosin"}, "detectors.nn.backend.metric", "cosine"),
        ("datasets.own.kind", "factoy", "datasets.own.kind", "factory"),
        ("datasets.own.duration", 3, "datasets.own.duration", "duration_s"),
        ("poolings.mean.bands", "keeep", "poolings.mean.bands", "keep"),
        ("poolings.mean", {}, "poolings.mean", "name"),
        ("metrics.rounds", 3, "metrics.rounds", "100"),
        ("report.system", "best", "report.system", "nn"),
        ("fusions.nn", {"name": "z_min"}, "fusions.nn", "Rename"),
    ],
)
def test_a_mistake_is_one_error_that_names_file_line_key_and_what_would_be_right(
    path, value, where, said, tmp_path
):
    config = changed(path, value)
    file = tmp_path / "study.yaml"
    YAML().dump(config, file)
    with pytest.raises(ConfigError) as caught:
        load(YAML(typ="safe").load(file.read_text()), [file])
    message = str(caught.value)
    assert message.startswith(str(file)) and where in message and said in message
    line = int(message.split("line ")[1].split(",")[0])
    written = file.read_text().splitlines()[line - 1].strip()
    # The line holds the key, or its parent where the key is missing or stands within braces.
    assert any(part in written for part in where.split("."))


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".hidden", "with space", "ümlaut"])
def test_a_name_that_could_not_be_a_folder_is_refused(name):
    with pytest.raises(ConfigError, match="cannot be used for a file"):
        load(changed("poolings", {name: {"name": "mean"}}))


@pytest.mark.parametrize("axis", ["datasets", "encoders", "poolings", "detectors"])
def test_an_axis_without_entries_or_missing_is_refused(axis):
    with pytest.raises(ConfigError, match=axis):
        load({key: value for key, value in MINIMAL.items() if key != axis})
    with pytest.raises(ConfigError, match=axis):
        load(MINIMAL | {axis: {}})


def test_a_meaningless_pair_is_refused_when_the_configuration_is_read_with_the_reason():
    spec = {"backend": {"name": "mahalanobis"}, "normalization": {"name": "density_ratio"}}
    with pytest.raises(ConfigError, match=r"density_ratio is meaningless for mahalanobis: .+"):
        load(changed("detectors.nn", spec))
