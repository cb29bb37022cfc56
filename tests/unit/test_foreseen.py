"""What is known not to be computed before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from asdflow.config import load
from asdflow.foundation.errors import AsdflowError
from asdflow.plan.foreseen import foresee
from asdflow.plan.plan import Plan

NN = {"backend": {"name": "knn", "k": 1, "metric": "cosine"}}
APART = {"backend": {"name": "domain_knn"}}


def plan(base: Path, datasets: dict, detectors: dict | None = None, fusions: dict | None = None) -> Plan:
    study = {
        "title": "t",
        "datasets": datasets,
        "encoders": {"logmel": {"name": "logmel"}},
        "poolings": {"mean": {"name": "mean"}},
        "detectors": detectors or {"nn": NN, "apart": APART},
        "fusions": fusions or {},
    }
    return Plan(load(study), base)


def folder(base: Path, name: str, rows: list[tuple[str, str, str, str, str]]) -> dict:
    """A data set whose clips.csv has these (machine, section, split, domain, label); no file behind it."""
    lines = ["path,machine,section,split,domain,label"]
    lines += [f"{number}.wav,{','.join(row)}" for number, row in enumerate(rows)]
    (base / name).mkdir()
    (base / name / "clips.csv").write_text("\n".join(lines) + "\n")
    return {"kind": "folder", "root": name}


def section(
    machine: str = "fan", number: str = "00", domains=("source", "target"), labels=("normal", "anomaly")
):
    """Two train clips a domain, and a test clip a domain and label."""
    train = [(machine, number, "train", domain, "normal") for domain in domains for _ in range(2)]
    return train + [(machine, number, "test", domain, label) for domain in domains for label in labels]


def test_nothing_is_said_of_a_data_set_that_lacks_nothing(tmp_path):
    assert foresee(plan(tmp_path, {"own": folder(tmp_path, "own", section())})) == []


def test_a_data_set_that_was_not_downloaded_is_not_spoken_of(tmp_path):
    only = {"apart": APART}
    assert foresee(plan(tmp_path, {"dcase": {"kind": "dcase", "year": 2023}}, only)) == []


def test_a_simulated_data_set_lacks_nothing(tmp_path):
    assert foresee(plan(tmp_path, {"demo": {"kind": "factory"}})) == []


def test_a_machine_or_section_that_lacks_something_is_named_and_the_others_are_not(tmp_path):
    rows = section("fan") + section("pump", domains=("source",)) + section("pump", "01", labels=("normal",))
    said = foresee(plan(tmp_path, {"own": folder(tmp_path, "own", rows)}))
    assert said == [
        "data set own, machine pump, section 00: the train clips have the domain source only, "
        "so apart is not computed",
        "data set own, machine pump, section 01 gets scores and no AUC: no anomalous test clip among 2. "
        "An AUC compares normal with anomalous clips: add some, or leave the section out",
    ]


def test_a_fusion_is_concerned_by_its_members_and_by_its_own_need(tmp_path):
    fusions = {
        "of_both": {"name": "z_min"},
        "of_one": {"name": "z_min", "members": ["nn"]},
        "of_source": {"name": "z_min", "members": ["nn"], "stats_from": "source"},
    }
    for domain, names in (("", "apart, of_both and of_source"), ("source", "apart and of_both")):
        data = {"own": folder(tmp_path, f"own{domain}", section(domains=(domain,)))}
        (said,) = foresee(plan(tmp_path, data, fusions=fusions))
        assert said.endswith(f"so {names} are not computed")


def test_a_study_of_which_nothing_can_be_computed_is_an_error_that_names_every_data_set(tmp_path):
    data = {
        "bare": folder(tmp_path, "bare", section(domains=("",))),
        "single": folder(tmp_path, "single", section(domains=("target",))),
    }
    with pytest.raises(AsdflowError) as error:
        foresee(plan(tmp_path, data, {"apart": APART}))
    text = str(error.value)
    assert text.startswith("the study: nothing can be computed")
    assert "data set bare: every detector needs domains, and the train clips have no domains" in text
    assert "data set single: every detector needs domains, and the train clips have the domain target" in text


def test_while_one_data_set_is_not_known_the_study_may_run(tmp_path):
    bare = folder(tmp_path, "bare", section(domains=("",)))
    data = {"bare": bare, "dcase": {"kind": "dcase", "year": 2023}}
    (said,) = foresee(plan(tmp_path, data, {"apart": APART}))
    assert said.startswith("data set bare: the train clips have no domains")
