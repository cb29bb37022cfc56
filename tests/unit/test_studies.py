"""The studies that are committed: they are valid, and the default one is DCASE 2023 to 2025 in full."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from asdflow.config import load
from asdflow.datasets.dcase.registry import load as registry
from asdflow.plan.plan import Plan

CONFIG = Path(__file__).resolve().parents[2] / "config"
STUDIES = sorted(path.relative_to(CONFIG).as_posix() for path in CONFIG.rglob("*.yaml"))
FIRST_SHOT = {"bearing", "fan", "gearbox", "slider", "ToyCar", "ToyTrain", "valve"}
EVALUATION = {
    2023: {"bandsaw", "grinder", "shaker", "ToyDrone", "ToyNscale", "ToyTank", "Vacuum"},
    2024: {
        *("3DPrinter", "AirCompressor", "BrushlessMotor", "HairDryer", "HoveringDrone", "RoboticArm"),
        *("Scanner", "ToothBrush", "ToyCircuit"),
    },
    2025: {
        *("AutoTrash", "BandSealer", "CoffeeGrinder", "HomeCamera", "Polisher", "ScrewFeeder"),
        *("ToyPet", "ToyRCCar"),
    },
}


def study(name: str):
    path = CONFIG / name
    return load(YAML(typ="safe").load(path.read_text(encoding="utf-8")), [path])


@pytest.mark.parametrize("name", STUDIES)
def test_every_committed_study_is_valid(name):
    assert study(name).title


@pytest.fixture(scope="module")
def default():
    return Plan(study("config.yaml"), Path("nowhere"))


def test_the_default_study_asks_for_every_machine_of_three_years(default):
    expected = {f"dcase{year}_development": sorted(FIRST_SHOT) for year in EVALUATION}
    expected |= {f"dcase{year}_evaluation": sorted(machines) for year, machines in EVALUATION.items()}
    assert dict(default.machines) == expected


def test_the_default_study_needs_every_zip_and_label_list_of_three_years(default):
    archives = {
        archive.name + str(archive.year)
        for name, data in default.datasets.items()
        for machine in default.machines[name]
        for archive in data.archives(machine)
    }
    facts = [
        registry().year(year).part(part) for year in EVALUATION for part in ("development", "evaluation")
    ]
    assert len(archives) == sum(len(part.machines) for part in facts) + sum(map(len, EVALUATION.values()))
    lists = {data.label_list() for data in default.datasets.values()} - {None}
    assert lists == {f"data/dcase{year}/labels/eval_data_list_{year}.csv" for year in EVALUATION}


def test_the_default_study_embeds_with_beats_weights_that_can_be_fetched_and_verified(default):
    from asdflow.checkpoints import checkpoint

    (encoder,) = default.study.encoders.values()
    weights = checkpoint(encoder["checkpoint"])
    assert encoder["name"] == "beats" and weights.sha256
    assert any(source.kind in ("hub", "https") for source in weights.sources)


def test_the_full_size_simulation_is_the_demo_but_for_its_data():
    full, demo = study("studies/factory_full.yaml"), study("demo.yaml")
    for axis in ("encoders", "poolings", "detectors", "fusions"):
        assert getattr(full, axis) == getattr(demo, axis)
    assert full.datasets["factory"]["train_source"] == 990
