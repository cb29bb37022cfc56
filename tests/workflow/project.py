"""A copy of the project with a small study of its own, and what a run of its DAG rebuilt."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "rules", "workflow", "config", "profiles", "envs", "resources", "CONTRIBUTING.md")
RATE = 16000

CONFIG = """\
title: a small study
datasets:
  own: {kind: folder, root: recordings}
encoders:
  logmel: {name: logmel}
poolings:
  mean: {name: mean}
  gem: {name: gem, p: 3.0}
detectors:
  nn: {backend: {name: knn, k: 1, metric: cosine}}
  pca: {backend: {name: pca_residual, rank: 3}}
fusions:
  zmin: {name: z_min}
figures:
  heatmap: {name: heatmap}
metrics: {rounds: 100}
report: {clips: 1}
"""


def write_recordings(folder: Path, machines=("fan", "pump"), seconds: float = 1.0) -> None:
    """Two machines in DCASE's names: tones in noise; an anomaly is a second tone."""
    for machine in machines:
        base = 300 if machine == "fan" else 700
        for split, label, domain, count in (
            ("train", "normal", "source", 8),
            ("train", "normal", "target", 2),
            *(
                ("test", label, domain, 3)
                for label in ("normal", "anomaly")
                for domain in ("source", "target")
            ),
        ):
            for number in range(count):
                name = f"section_00_{domain}_{split}_{label}_{number:04d}_speed_{number}.wav"
                seed = [len(machine), base, len(split), len(label), len(domain), number]
                write_tone(folder / machine / split / name, seed, base, domain, label, seconds)


def write_tone(path: Path, seed, base: float, domain: str, label: str, seconds: float = 1.0) -> None:
    """One clip."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    tone = 0.1 * np.sin(2 * np.pi * (base + (80 if domain == "target" else 0) + random.normal(0, 3)) * time)
    fault = 0.03 * np.sin(2 * np.pi * 3.1 * base * time) if label == "anomaly" else 0.0
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone + fault + random.normal(0, 0.03, time.size), RATE, subtype="PCM_16")


class Project:
    """A project folder on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, folder: Path, config: str = CONFIG) -> Project:
        """Copy the product and add recordings and the small study."""
        folder.mkdir(parents=True, exist_ok=True)
        ignore = shutil.ignore_patterns("__pycache__", "checkpoints_cache", "*.egg-info")
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=ignore)
            else:
                shutil.copy2(source, folder / part)
        write_recordings(folder / "recordings")
        (folder / "config" / "small.yaml").write_text(config, encoding="utf-8")
        return cls(folder)

    def copy(self, folder: Path) -> Project:
        """The whole folder with its time stamps and Snakemake's records."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Project(folder)

    @property
    def environment(self) -> dict[str, str]:
        """The copied library comes before the installed one."""
        weights = os.environ.get("ASDFLOW_CHECKPOINTS") or str(ROOT / "resources" / "checkpoints")
        return os.environ | {
            "PYTHONPATH": str(self.folder / "workflow"),
            "ASDFLOW_CHECKPOINTS": weights,
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def command(self, *arguments: str, cores: int = 2) -> list[str]:
        """The snakemake command of the small study."""
        options = ["--cores", str(cores), "--nolock", "--configfile=config/small.yaml"]
        return [sys.executable, "-m", "snakemake", *options, *arguments]

    def run(self, *arguments: str, cores: int = 2, check: bool = True) -> subprocess.CompletedProcess:
        """Run snakemake; with `check` a failure shows what it printed."""
        outcome = subprocess.run(
            self.command(*arguments, cores=cores),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        if check and outcome.returncode:
            raise AssertionError(outcome.stdout + outcome.stderr)
        return outcome

    def rebuilt_by(self, *arguments: str) -> set[str]:
        """Results that a run wrote or removed, relative to results/."""
        before = self.stamps()
        self.run(*arguments)
        after = self.stamps()
        return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}

    def stamps(self) -> dict[str, int]:
        """Time stamp of every result."""
        found = {}
        for path in (self.folder / "results").rglob("*"):
            if path.is_file() and not {"logs", "benchmarks"} & set(path.parts):
                with suppress(FileNotFoundError):  # a file that a running job moves into place
                    found[path.relative_to(self.folder / "results").as_posix()] = path.stat().st_mtime_ns
        return found

    def start_and_kill(self, results: int, delay_s: float, timeout_s: float = 120.0) -> None:
        """Start a run and kill its whole tree with SIGKILL, `delay_s` after so many results are there."""
        process = subprocess.Popen(
            self.command(),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            end = time.monotonic() + timeout_s
            while process.poll() is None and time.monotonic() < end and len(self.stamps()) < results:
                time.sleep(0.02)
            with suppress(subprocess.TimeoutExpired):
                process.wait(delay_s)
        finally:
            was_running = process.poll() is None
            if was_running:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert was_running, f"the run ended before {results} results and {delay_s:.2f} s could interrupt it"
