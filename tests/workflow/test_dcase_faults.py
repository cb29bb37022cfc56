"""Every fault of a download through the DAG: one clear error each, and a second run that fetches the rest.

Each machine of DCASE 2024 meets a fault of its own, in one run with all the others.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
from project import Project
from server import Fault, Server, Size, md5, simulate

from asdflow.products import tables

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("dcase")]

CONFIG = """\
datasets:
  year: {kind: dcase, year: 2024}
  other: {kind: dcase, year: 2023, machines: [bandsaw]}
encoders:
  logmel: {name: logmel}
poolings:
  mean: {name: mean}
detectors:
  nn: {backend: {name: knn, k: 1, metric: cosine}}
"""
LIST = "eval_data_list_2023.csv"


def changed(body: bytes) -> bytes:
    """Of right length, one bit wrong."""
    return body[:-1] + bytes([body[-1] ^ 1])


def cut(body: bytes) -> bytes:
    """Of right length, the second half lost."""
    return body[: len(body) // 2] + bytes(len(body) - len(body) // 2)


def with_member(body: bytes, name: str, content: bytes = b"x", mode: int = 0o100644) -> bytes:
    """The zip with one more member, whatever its name."""
    buffer = io.BytesIO(body)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo("x")
        info.filename = info.orig_filename = name
        info.external_attr = mode << 16
        file.writestr(info, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


# Faults of the connection that pass: the machine succeeds all the same.
PASSING = {
    "dev_gearbox.zip": Fault(status=429, retry_after="1", times=1),
    "dev_slider.zip": Fault(status=500, times=3),
    "dev_ToyTrain.zip": Fault(reset_at=0.6, times=1),
    "dev_valve.zip": Fault(close_at=0.6, times=1),  # a body shorter than announced
}
# Faults that stay, and what the one error must say.
STAYING = {
    "dev_bearing.zip": (Fault(status=404), "HTTP 404"),
    "dev_fan.zip": (Fault(status=403), "HTTP 403"),
    "dev_ToyCar.zip": (Fault(status=500), "HTTP 500"),
}
# Bodies in place of the right one: (from the right body to the wrong one, words of the error).
WRONG = {
    "eval_data_3DPrinter_train_r2.zip": (changed, "has md5"),
    "eval_data_AirCompressor_train.zip": (cut, "has md5"),
}
# Archives whose published checksum is theirs, and what is wrong inside.
EVIL = {
    "eval_data_BrushlessMotor_train.zip": (
        lambda body: with_member(body, "../../../evil.wav"),
        "leads outside",
    ),
    "eval_data_HairDryer_train.zip": (lambda body: with_member(body, "/tmp/asdflow-evil.wav"), "absolute"),
    "eval_data_HoveringDrone_train.zip": (
        lambda body: with_member(body, "HoveringDrone/train/a.wav", b"/etc/passwd", stat.S_IFLNK | 0o777),
        "is a link",
    ),
    "eval_data_RoboticArm_train_r2.zip": (
        lambda body: with_member(body, "RoboticArm/train/bomb.wav", bytes(20_000_000)),
        "has 20.0 MB, at most",
    ),
    "eval_data_Scanner_train.zip": (cut, "is not a whole zip"),
}
FAILING = STAYING | WRONG | EVIL


def visible(folder: Path) -> list[Path]:
    """Files that are not hidden: what a user or Snakemake takes for done."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [p for p in files if not any(part.startswith(".") for part in p.relative_to(folder).parts)]


def require_whole(project: Project, server: Server) -> None:
    """Every file under a final name is whole."""
    data = project.folder / "data"
    for path in visible(data / "zips"):
        assert md5(path.read_bytes()) == md5(server.files[int(path.parent.name), path.name]), path
    for manifest in data.glob("dcase*/*/*.json"):
        folder = manifest.with_suffix("")
        sizes = {p.relative_to(folder).as_posix(): p.stat().st_size for p in visible(folder)}
        assert sizes == json.loads(manifest.read_text())["files"], manifest
    for folder in data.glob("dcase*/*/[!.]*/"):
        assert folder.name == "labels" or folder.with_suffix(".json").exists(), folder
    for path in visible(data):
        if path.parent.name == "labels":
            assert path.read_bytes() == server.texts[path.name]


def zips_of(requests) -> set[str]:
    return {r.path.split("?")[0].split("/")[-1] for r in requests if ".zip" in r.path}


def environment(patch: pytest.MonkeyPatch, server: Server, registry: Path) -> None:
    for name, value in {
        "ASDFLOW_ZENODO": server.url,
        "ASDFLOW_DATASETS": str(registry),
        "ASDFLOW_BACKOFF": "0.01",
        "ASDFLOW_RETRIES": "3",
    }.items():
        patch.setenv(name, value)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """(server, project, right bodies, what the run printed) after one run in which everything goes wrong."""
    base = tmp_path_factory.mktemp("faults")
    with Server() as server, pytest.MonkeyPatch.context() as patch:
        environment(patch, server, simulate(server, base / "served", [2023, 2024], Size(duration_s=0.3)))
        right = {name: body for (_, name), body in server.files.items()}
        for record, name in list(server.files):
            if name in EVIL:
                server.files[record, name] = EVIL[name][0](right[name])
        server.faults |= PASSING
        server.faults |= {name: fault for name, (fault, _) in STAYING.items()}
        server.faults |= {name: Fault(body=wrong(right[name])) for name, (wrong, _) in WRONG.items()}
        server.faults[LIST] = Fault(body=changed(server.texts[LIST]))
        project = Project.create(base / "project", CONFIG)
        outcome = project.run("all", "--until", "clips", check=False)
        assert outcome.returncode != 0
        yield server, project, right, outcome.stdout + outcome.stderr


def machine_of(name: str) -> str:
    words = name.removesuffix(".zip").removeprefix("dev_").removeprefix("eval_data_")
    return words.removesuffix("_r2").removesuffix("_train")


@pytest.mark.parametrize("name", FAILING)
def test_a_fault_that_stays_is_one_clear_error(first_run, name):
    _, project, _, printed = first_run
    errors = [line for line in printed.splitlines() if line.startswith("ERROR") and name in line]
    assert len(errors) == 1 and FAILING[name][1] in errors[0], errors
    part = "development" if name.startswith("dev_") else "additional_training"
    unpacked = project.folder / "data/dcase2024" / part / machine_of(name)
    assert not unpacked.exists() and not unpacked.with_suffix(".json").exists()
    assert not (project.folder / f"results/clips/year/{machine_of(name)}.parquet").exists()


def test_a_label_list_of_wrong_hash_is_one_clear_error(first_run):
    server, project, _, printed = first_run
    (error,) = (line for line in printed.splitlines() if line.startswith("ERROR") and LIST in line)
    assert hashlib.sha256(server.texts[LIST]).hexdigest() in error
    assert not (project.folder / "results/clips/other").exists()


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_costs_nothing(first_run, name):
    _, project, _, printed = first_run
    assert not [line for line in printed.splitlines() if line.startswith("ERROR") and name in line]
    table = tables.read(project.folder / f"results/clips/year/{machine_of(name)}.parquet", "clips")
    assert table.num_rows == 14


def test_no_traceback_is_shown(first_run):
    assert "Traceback" not in first_run[3]


def test_nothing_lies_under_a_final_name_that_is_not_whole(first_run, tmp_path):
    server, project, _, _ = first_run
    require_whole(project, server)
    assert not list(project.folder.parent.rglob("*evil*")) and not Path("/tmp/asdflow-evil.wav").exists()


def test_the_second_run_fetches_only_what_is_missing(first_run, tmp_path):
    server, finished, right, _ = first_run
    project = finished.copy(tmp_path / "project")
    server.faults.clear()
    for record, name in list(server.files):
        server.files[record, name] = right[name]
    # A record that was pinned with an evil archive is accepted anew knowingly: its lock and zip are removed.
    locks = Path(os.environ["ASDFLOW_DATASETS"]).parent / "locks"
    shutil.copytree(locks, tmp_path / "locks")
    (locks / "11259435.json").unlink()
    for name in EVIL:
        (project.folder / "data/zips/11259435" / name).unlink()
    server.requests.clear()
    project.run("all", "--until", "clips")
    assert zips_of(server.requests) == set(FAILING)
    assert [r.path for r in server.requests if ".csv" in r.path] == [f"/lists/{LIST}"]
    assert len(list((project.folder / "results/clips").rglob("*.parquet"))) == 7 + 9 + 1
    require_whole(project, server)


@pytest.fixture
def small_disk():
    """Size it in kB; a file system of its own. Skips where mounting is not permitted."""
    folder = None

    def mount(kilobytes: int, at: Path) -> Path:
        nonlocal folder
        if shutil.which("mount") is None or os.geteuid() != 0:
            pytest.skip("mounting a small file system needs root")
        at.mkdir(parents=True)
        options = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(at)]
        made = subprocess.run(options, capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"mounting a small file system is not permitted: {made.stderr.strip()}")
        folder = at
        return at

    yield mount
    if folder:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_clear_error_and_a_larger_one_is_filled_from_there(
    tmp_path, monkeypatch, small_disk
):
    with Server() as server:
        environment(monkeypatch, server, simulate(server, tmp_path / "served", [2023], Size(duration_s=0.3)))
        config = CONFIG.replace("  year: {kind: dcase, year: 2024}\n", "").replace("bandsaw", "fan, gearbox")
        project = Project.create(tmp_path / "project", config)
        # Room for the zip and the clips of one machine, not of two.
        need = len(server.files[7882613, "dev_fan.zip"]) // 1024
        disk = small_disk(3 * need, project.folder / "data")
        outcome = project.run("all", "--until", "clips", cores=1, check=False)
        printed = outcome.stdout + outcome.stderr
        (error,) = (line for line in printed.splitlines() if line.startswith("ERROR"))
        assert "Free space" in error and ("are free" in error or "the disk is full" in error)
        require_whole(project, server)
        fetched = zips_of(server.requests)
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        whole = {path.name for path in visible(disk / "zips")}
        server.requests.clear()
        project.run("all", "--until", "clips")
        assert zips_of(server.requests) == {"dev_fan.zip", "dev_gearbox.zip"} - whole and fetched
        require_whole(project, server)
        assert len(list((project.folder / "results/clips/other").glob("*.parquet"))) == 2
