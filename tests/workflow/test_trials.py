"""What interrupts a run, or damages what it made, changes no byte: seeded trials on the real DAG.

`ASDFLOW_TRIALS=20 pytest tests/workflow/test_trials.py` tries twenty of each kind, each with other moments,
sizes and bits; `make test` tries one.
"""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from asdflow.commands.cli import app
from asdflow.commands.reproduce import compare
from asdflow.products import layout

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
TRIALS = range(int(os.environ.get("ASDFLOW_TRIALS", "1")))
KILLS, FULL = 3, 3
BLOCK = 4096
MEGABYTES = 16
"""More than the whole study takes."""

REMEDY = re.compile(
    r"ERROR (\S+): is damaged.* Build it anew with `([^`]+)`, then type the same command again\."
)


def same(built, project):
    return compare(built.folder / "results", project.folder / "results")


# -- kills -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", TRIALS)
def test_a_run_that_is_killed_again_and_again_ends_in_the_same_bytes(built, fresh, seed):
    chance = random.Random(f"kill {seed}")
    last = len(built.stamps()) - 4  # the report is on its way
    for results in [0, *sorted(chance.sample(range(1, last), KILLS - 1))]:
        fresh.start_and_kill(results, chance.uniform(0.0, 0.5))
    fresh.run()
    outcome = same(built, fresh)
    assert outcome.equal, outcome


def test_one_core_gives_the_same_bytes_as_two(built, fresh):
    fresh.run(cores=1)
    outcome = same(built, fresh)
    assert outcome.equal, outcome


# -- full disks ------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(fresh):
    """A function that sets how much more the disk takes that a fresh project lies on, in bytes."""
    folder, kept = fresh.folder, fresh.folder.with_name("kept")
    if not shutil.which("mount") or os.geteuid() != 0:
        pytest.skip("needs the right to mount a small disk")
    folder.rename(kept)
    folder.mkdir()
    if mount(folder, f"size={MEGABYTES}m"):
        pytest.skip("needs the right to mount a small disk")
    shutil.copytree(kept, folder, dirs_exist_ok=True)

    def room(left: int) -> None:
        blocks = os.statvfs(folder)
        used = (blocks.f_blocks - blocks.f_bfree) * blocks.f_frsize
        assert mount(folder, f"remount,size={(used + left) // BLOCK * BLOCK}") == 0

    yield room
    subprocess.run(["umount", "-l", str(folder)], check=True)


def mount(folder, options: str) -> int:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True).returncode


@pytest.mark.parametrize("seed", TRIALS)
def test_a_disk_that_fills_up_ends_in_the_same_bytes_once_there_is_room(built, fresh, small_disk, seed):
    chance = random.Random(f"full {seed}")
    sizes = [file.stat().st_size for file in (built.folder / "results").rglob("*") if file.is_file()]
    needed = sum(-(-size // BLOCK) * BLOCK for size in sizes)
    rooms = [BLOCK, *(int(chance.uniform(0.1, 0.9) * needed / FULL) for _ in range(FULL - 1))]
    for left in rooms:
        small_disk(left)
        outcome = fresh.run(check=False)
        assert outcome.returncode != 0
        assert "he disk is full. Free space and run the same command again" in outcome.stderr
        assert "Traceback" not in outcome.stderr and "Errno" not in outcome.stderr
        found = same(built, fresh)
        assert found.different == found.only_second == [], "half a file stands under a final name"
    small_disk(MEGABYTES << 20)
    fresh.run()
    outcome = same(built, fresh)
    assert outcome.equal, outcome


# -- flipped bits ----------------------------------------------------------------------------------------


def flip(file, chance: random.Random) -> None:
    """One bit of a file; disks do not change the time stamp when they do so."""
    data, stamps = bytearray(file.read_bytes()), file.stat()
    place = chance.randrange(8 * len(data))
    data[place // 8] ^= 1 << place % 8
    file.write_bytes(data)
    os.utime(file, ns=(stamps.st_atime_ns, stamps.st_mtime_ns))


def flip_each_kind(project, chance: random.Random) -> set[str]:
    """One file of every kind of product, each made of those before it; relative to the project."""
    names = {"machine": chance.choice(("fan", "pump")), "pooling": chance.choice(("mean", "gem"))}
    names |= {"dataset": "own", "encoder": "logmel", "layer": "logmel"}
    names |= {"metric": "cosine", "backend": "knn", "fusion": "zmin"}
    kinds = (kind for kind, place in layout.PLACES.items() if place.endswith(".parquet"))
    files = {layout.path(kind, **names) for kind in kinds if kind != "shards"}
    for file in sorted(files):
        flip(project.folder / file, chance)
    return files


def typed(project, command: str) -> subprocess.CompletedProcess:
    """What somebody types in the project's folder."""
    program, *arguments = shlex.split(command)
    assert program == "snakemake"
    return subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
    )


def mend(project, command: str) -> set[str]:
    """Type a command until it succeeds, and in between what its errors say; the files that they named."""
    named: set[str] = set()
    for _ in range(len(layout.STAGES)):
        outcome = typed(project, command)
        if outcome.returncode == 0:
            return named
        remedies = set(REMEDY.findall(outcome.stderr))
        assert remedies and "Traceback" not in outcome.stderr, outcome.stderr
        for file, remedy in sorted(remedies):
            named |= {file} | mend(project, remedy)
    raise AssertionError(f"{command} does not end well")


@pytest.mark.parametrize("seed", TRIALS)
def test_flipped_bits_of_every_kind_of_product_are_named_and_mended(built, project, monkeypatch, seed):
    monkeypatch.chdir(project.folder)
    flipped = flip_each_kind(project, random.Random(f"flip {seed}"))
    verified = CliRunner().invoke(app, ["verify"])
    assert verified.exit_code == 1
    assert {file for file, _ in REMEDY.findall(verified.output)} == flipped
    results = project.folder / "results"
    for file in ("report.html", "leaderboard.csv"):
        (results / file).unlink()
    shutil.rmtree(results / "figures")
    assert mend(project, "snakemake --cores 2 --nolock --configfile=config/small.yaml all") == flipped
    outcome = same(built, project)
    assert outcome.equal, outcome


def test_what_verify_says_of_results_elsewhere_mends_them(built, project):
    file = project.folder / "results/distances/own/logmel/logmel/gem/cosine/fan.parquet"
    flip(file, random.Random("elsewhere"))
    verified = CliRunner().invoke(app, ["verify", str(project.folder / "results")])
    ((named, remedy),) = REMEDY.findall(verified.output)
    assert named == str(file)
    assert typed(built, remedy).returncode == 0
    outcome = same(built, project)
    assert outcome.equal, outcome
