"""A deterministic maker of product trees: what a finished study leaves under results/, of any size.

Scores are drawn from Gaussians whose means depend on machine, system, domain and label, so rankings,
trade-offs and differences between machines exist. Values are exact AUCs of those scores; intervals are drawn,
as nothing here looks at their coverage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asdflow.foundation.seeds import generator
from asdflow.presentation.results import Results
from asdflow.products import tables
from asdflow.products.study import Study

MACHINES = (
    "fan", "gearbox", "bearing", "slider", "valve", "ToyCar", "ToyTrain", "AirCompressor",
    "BrushlessMotor", "HoveringDrone", "CoffeeGrinder", "RoboticArm", "ScrewFeeder", "3DPrinter",
    "a_machine_of_a_very_long_name",
)  # fmt: skip

_DETECTORS = {
    "nn": {"backend": {"name": "knn", "k": 1, "metric": "cosine"}, "normalization": [{"name": "none"}]},
    "ldn": {
        "backend": {"name": "knn", "k": 1, "metric": "cosine"},
        "normalization": [{"name": "density_ratio", "k": 1}],
    },
    "maha": {"backend": {"name": "mahalanobis"}, "normalization": [{"name": "none"}]},
    "pca95": {"backend": {"name": "pca_residual", "variance": 0.95}, "normalization": [{"name": "none"}]},
    "nn4": {"backend": {"name": "knn", "k": 4, "metric": "cosine"}, "normalization": [{"name": "none"}]},
    "ldn16": {
        "backend": {"name": "knn", "k": 1, "metric": "cosine"},
        "normalization": [{"name": "density_ratio", "k": 16}],
    },
    "nn_euclidean": {
        "backend": {"name": "knn", "k": 1, "metric": "euclidean"},
        "normalization": [{"name": "none"}],
    },
    "ldn_euclidean": {
        "backend": {"name": "knn", "k": 1, "metric": "euclidean"},
        "normalization": [{"name": "density_ratio", "k": 1}],
    },
    "ldn4": {
        "backend": {"name": "knn", "k": 1, "metric": "cosine"},
        "normalization": [{"name": "density_ratio", "k": 4}],
    },
}
_POOLINGS = {
    "mean": {"name": "mean"},
    "gem3": {"name": "gem", "p": 3.0},
    "max": {"name": "max"},
}


def study(
    datasets: Mapping[str, Any] | None = None,
    encoders: Mapping[str, Sequence[str]] | None = None,
    poolings: int = 2,
    detectors: int = 4,
    fusion: bool = True,
) -> dict[str, Any]:
    """A study as plain data, as of `Study.as_dict`; `encoders` maps a name to its layers."""
    layers = encoders or {"logmel": ["default"], "yamnet": ["layer9"]}
    data = dict(datasets or {"factory": {"kind": "factory"}})
    return {
        "title": "A small study",
        "datasets": {
            name: {"name": spec["kind"]} | {key: value for key, value in spec.items() if key != "kind"}
            for name, spec in data.items()
        },
        "simulated": [name for name, spec in data.items() if spec["kind"] == "factory"],
        "given": {name: list(spec.get("vectors", ())) for name, spec in data.items()},
        "figures": {},
        "encoders": {name: {"name": name.split("_")[0]} for name in layers},
        "layers": {name: list(names) for name, names in layers.items()},
        "poolings": dict(list(_POOLINGS.items())[:poolings]),
        "detectors": dict(list(_DETECTORS.items())[:detectors]),
        "fusions": {"zmin": {"name": "z_min"}} if fusion else {},
        "metrics": {"rounds": 1000, "confidence": 0.95},
        "report": {"system": None, "clips": 2},
    }


def make(
    folder: Path,
    config: Mapping[str, Any] | Study,
    machines: int | Sequence[str] = 3,
    clips: int = 20,
    bank: int = 12,
    domains: bool = True,
    sections: int = 1,
    units: int = 40,
    cut: int = 1,
) -> Results:
    """Write every product that figures and report read, and return them as `Results`.

    Parameters
    ----------
    machines : int or names
    clips, bank : int
        Test clips a (domain, label), train clips a section.
    units : int
        Independent units of each interval; 0 makes them unknown.
    cut : int
        Clips that come from one recording.
    """
    names = list(machines) if not isinstance(machines, int) else list(MACHINES[:machines])
    results = Results(folder, config if isinstance(config, Study) else Study.from_dict(config))
    for dataset in results.datasets:
        tests = {}
        for machine in names:
            rows = _clips(machine, clips, bank, domains, sections, cut)
            tests[machine] = rows
            tables.write(folder / "clips" / dataset / f"{machine}.parquet", "clips", rows, {"made": "up"})
        for feature in results.features():
            _feature(folder, results, dataset, feature, tests, units)
    return results


def tone(machine: str, clip: str, seconds: float = 2.0, rate: int = 16000) -> np.ndarray:
    """(samples,) float32: hum of a pitch that depends on the machine, with noise; louder for later clips."""
    draw = generator("tone", machine, clip)
    time = np.arange(int(seconds * rate)) / rate
    pitch = 80.0 + 40.0 * (sum(machine.encode()) % 7)
    hum = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 12))
    return (0.03 * hum + 0.01 * draw.standard_normal(len(time))).astype(np.float32)


def _clips(machine: str, clips: int, bank: int, domains: bool, sections: int, cut: int) -> dict[str, list]:
    rows = []
    for number in range(sections):
        section = f"{number:02d}"
        for index in range(bank):
            domain = "target" if index >= bank - 2 else "source"
            rows.append((section, f"{machine}/train/{section}_{index:04d}", domain, "train", "normal"))
        for domain in ("source", "target"):
            for label in ("normal", "anomaly"):
                rows += [
                    (section, f"{machine}/test/{section}_{domain}_{label}_{index:04d}", domain, "test", label)
                    for index in range(clips)
                ]
    section, clip, domain, split, label = (list(column) for column in zip(*rows, strict=True))
    count = len(rows)
    draw = generator("clips", machine)
    return {
        "machine": [machine] * count,
        "section": section,
        "clip": clip,
        "path": [f"{name}.wav" for name in clip],
        "start_s": [0.0] * count,
        "duration_s": [2.0] * count,
        "domain": domain if domains else [None] * count,
        "split": split,
        "label": label,
        "recording": [f"{name[:-4]}{int(name[-4:]) // cut:04d}" for name in clip],
        "attributes": [[("speed", "28V")]] * count,
        "sample_rate": [16000] * count,
        "channels": [1] * count,
        "samples": [32000] * count,
        "sha256": ["0" * 64] * count,
        "peak": draw.uniform(0.1, 0.9, count).tolist(),
        "rms": draw.uniform(0.01, 0.09, count).tolist(),
        "warnings": [["clipped: 3 samples at full scale"] if index == 3 else [] for index in range(count)],
    }


def _feature(folder: Path, results: Results, dataset: str, feature, tests, units: int) -> None:
    rows: list[tuple] = []
    of_backend: dict[tuple[str, str], list[dict[str, list]]] = {}
    for system, kind in results.kinds.items():
        values: list[dict[str, float]] = []
        counts = []
        written: list[dict[str, list]] = []
        for machine, clips in tests.items():
            score = _scores(dataset, feature, system, machine, clips)
            columns = ("machine", "section", "clip", "split", "domain", "label", "recording")
            count = len(score)
            written.append(
                {name: list(clips[name]) for name in columns}
                | {"detector": [system] * count, "score": list(score), "refused": [None] * count}
            )
            if kind == "detector":
                backend = results.study.detectors[system]["backend"]["name"]
                of_backend.setdefault((backend, machine), []).append(written[-1])
            for section in sorted(set(clips["section"])):
                terms, normal, anomaly = _terms(score, clips, section)
                values.append(terms)
                counts.append((normal, anomaly))
                rows += [
                    (system, kind, machine, section, metric, value, normal, anomaly)
                    for metric, value in terms.items()
                ]
        if kind == "fusion":
            path = folder.joinpath("fusion", dataset, *feature, f"{system}.parquet")
            tables.write(path, "scores", _joined(written), {})
        total = np.sum(counts, axis=0).tolist()
        for metric in values[0]:
            mean = len(values) / sum(1.0 / max(one[metric], 1e-12) for one in values)
            rows.append((system, kind, "all", "all", metric, mean, *total))
    for (backend, machine), written in of_backend.items():
        path = folder.joinpath("scores", dataset, *feature, backend, f"{machine}.parquet")
        tables.write(path, "scores", _joined(written), {"made": "up"})
    count = len(rows)
    value = np.array([row[5] for row in rows])
    half = generator("interval", dataset, *feature).uniform(0.01, 0.06, count)
    low, high = np.clip(value - half, 0, 1), np.clip(value + half, 0, 1)
    encoder, layer, pooling = feature
    tables.write(
        folder.joinpath("metrics", dataset, encoder, layer, f"{pooling}.parquet"),
        "metrics",
        {
            "dataset": [dataset] * count,
            "encoder": [encoder] * count,
            "layer": [layer] * count,
            "pooling": [pooling] * count,
            "system": [row[0] for row in rows],
            "kind": [row[1] for row in rows],
            "machine": [row[2] for row in rows],
            "section": [row[3] for row in rows],
            "metric": [row[4] for row in rows],
            "value": value,
            "low": low if units else np.zeros(count),
            "high": high if units else np.ones(count),
            "confidence": [0.95] * count,
            "normal": [row[6] for row in rows],
            "anomaly": [row[7] for row in rows],
            "units": [units] * count,
            "refused": [None] * count,
        },
        {"made": "up"},
    )


def _joined(tables: Sequence[Mapping[str, list]]) -> dict[str, list]:
    """Tables of the same columns, one below the other."""
    return {name: [value for part in tables for value in part[name]] for name in tables[0]}


def _scores(dataset: str, feature, system: str, machine: str, clips) -> np.ndarray:
    skill = generator("skill", dataset, system).normal(0.8, 0.4)
    skill += generator("skill", dataset, *feature).normal(0.0, 0.2)
    skill += generator("skill", dataset, machine, system).normal(0.0, 0.4)
    shift = abs(generator("shift", dataset, machine, system).normal(0.6, 0.5))
    noise = generator("noise", dataset, *feature, system, machine).standard_normal(len(clips["clip"]))
    anomaly = np.array([label == "anomaly" for label in clips["label"]])
    target = np.array([domain == "target" for domain in clips["domain"]])
    return 3.0 + 0.5 * (noise + skill * anomaly + shift * target)


def _terms(score: np.ndarray, clips, section: str) -> tuple[dict[str, float], int, int]:
    test = np.array([split == "test" for split in clips["split"]])
    here = test & np.array([name == section for name in clips["section"]])
    anomaly = here & np.array([label == "anomaly" for label in clips["label"]])
    normal = here & ~anomaly
    target = np.array([domain == "target" for domain in clips["domain"]])
    terms = {"auc_source": _auc(score[normal & ~target], score[anomaly])}
    if target.any():
        terms["auc_target"] = _auc(score[normal & target], score[anomaly])
    terms["pauc"] = 0.5 + 0.4 * (_auc(score[normal], score[anomaly]) - 0.5)
    terms["official"] = len(terms) / sum(1.0 / max(value, 1e-12) for value in terms.values())
    return terms, int(normal.sum()), int(anomaly.sum())


def _auc(normal: np.ndarray, anomaly: np.ndarray) -> float:
    return float(np.mean(normal[:, None] < anomaly[None, :]))
