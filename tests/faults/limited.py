"""A script of the workflow in a process of little memory: first on a small input, then on a large one.

    python tests/faults/limited.py scores 40

runs it in the current folder with 40 MB more than it has after the small input.
"""

from __future__ import annotations

import resource
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import soundfile

from asdflow import datasets
from asdflow.config.schema import AXES
from asdflow.products import tables

SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"
RANDOM = np.random.default_rng(12)


class Names(dict):
    """Wildcards: by attribute, and a mapping."""

    __getattr__ = dict.__getitem__


class Files(SimpleNamespace):
    """Inputs: by attribute, and `get`."""

    def get(self, name, default):
        return getattr(self, name, default)


def frames(name: str, large: bool) -> SimpleNamespace:
    """Two clips of 2 s or of 2 minutes."""
    for number in range(2):
        file = Path(name, "fan", "train", f"section_00_source_train_normal_{number:04d}.wav")
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, RANDOM.normal(0, 0.1, 16000 * (120 if large else 2)), 16000)
    data = datasets.build({"name": "folder", "root": name})
    clips = f"{name}.clips.parquet"
    tables.write(clips, "clips", data.clips_table("own", Path.cwd(), "fan"), {})
    spec = {"name": "folder"} | AXES["datasets"].adapter("folder").dump_python(
        data, mode="json", by_alias=True
    )
    return SimpleNamespace(
        params=SimpleNamespace(
            data={key: value for key, value in spec.items() if key not in data.later},
            sound={key: spec.get(key) for key in ("audio", "noise")},
            encoder={"name": "logmel"},
            root=name,
        ),
        wildcards=Names(dataset="own", encoder="logmel", machine="fan"),
        input=Files(clips=clips, lengths=[]),
        output=[f"results/frames/own/logmel/{name}.parquet"],
        threads=1,
        log=[f"{name}.log"],
    )


def scores(name: str, large: bool) -> SimpleNamespace:
    """A bank of 20 or of 2,500 clips."""
    bank = 2500 if large else 20
    count = bank + 10
    clips = [f"{number:06}" for number in range(count)]
    shared = {"machine": ["fan"] * count, "section": ["00"] * count, "clip": clips}
    shared |= {"split": ["train"] * bank + ["test"] * 10, "domain": ["source"] * count}
    vectors = RANDOM.normal(size=(count, 64)).astype(np.float32)
    tables.write("e.parquet", "embeddings", shared | {"values": vectors}, {"pooling": "mean"})
    unknown = ("path", "start_s", "duration_s", "sample_rate", "channels", "samples", "sha256", "peak", "rms")
    known = {
        "label": ["normal"] * count,
        "recording": clips,
        "attributes": [[]] * count,
        "warnings": [[]] * count,
    }
    tables.write("c.parquet", "clips", shared | known | {key: [None] * count for key in unknown}, {})
    detectors = {"nn": {"backend": {"name": "knn"}, "normalization": [{"name": "none"}]}}
    return SimpleNamespace(
        params=SimpleNamespace(detectors=detectors),
        wildcards=Names(),
        input=Files(clips="c.parquet", embeddings="e.parquet"),
        output=[f"results/scores/own/logmel/logmel/mean/knn/{name}.parquet"],
        log=[f"{name}.log"],
    )


def main() -> None:
    stage, megabytes = sys.argv[1], int(sys.argv[2])
    for name, large in (("small", False), ("large", True)):
        job = globals()[stage](name, large)
        if large:
            status = Path("/proc/self/status").read_text(encoding="utf-8")
            used = 1024 * int(status.partition("VmSize:")[2].split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 2**20,) * 2)
        runpy.run_path(str(SCRIPTS / f"{stage}.py"), {"snakemake": job})


if __name__ == "__main__":
    main()
