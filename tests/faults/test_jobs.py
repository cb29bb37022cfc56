"""What a job says when the disk or the memory ends, whatever it was doing."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from asdflow.foundation.errors import DataError
from asdflow.stages import job

OUTPUT = "results/embeddings/own/fan.parquet"


def stand_in(tmp_path, log="job.log"):
    return SimpleNamespace(log=[str(tmp_path / log)] if log else [], output=[OUTPUT], input=[], params=None)


def said(capsys, error, snakemake) -> str:
    """What is printed by a job that ends in this error."""

    def main(_):
        raise error

    with pytest.raises(SystemExit):
        job.run(main, snakemake)
    return capsys.readouterr().err


class OutOfMemoryError(RuntimeError):
    """As torch calls it."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DataError("a.wav", "is silent", "Leave it out."), "ERROR a.wav: is silent. Leave it out."),
        (
            OSError(errno.ENOSPC, "No space left", "b.parquet"),
            "ERROR b.parquet: the disk is full. Free space",
        ),
        (OSError(errno.EDQUOT, "Quota"), f"ERROR {OUTPUT}: the disk is full. Free space"),
        (MemoryError(), f"ERROR {OUTPUT}: there is not enough memory"),
        (MemoryError("Unable to allocate 3 GiB"), "(Unable to allocate 3 GiB). Run with fewer jobs"),
        (OutOfMemoryError("CUDA out of memory"), "(CUDA out of memory). Run with fewer jobs"),
    ],
)
def test_it_is_one_line_on_the_terminal_and_in_the_log(tmp_path, capsys, error, words):
    printed = said(capsys, error, stand_in(tmp_path))
    assert words in printed and "Traceback" not in printed
    assert words in (tmp_path / "job.log").read_text()


def test_a_fault_of_the_program_keeps_its_traceback(tmp_path):
    def main(_):
        raise ZeroDivisionError("by nought")

    with pytest.raises(ZeroDivisionError):
        job.run(main, stand_in(tmp_path))
    assert "ZeroDivisionError: by nought" in (tmp_path / "job.log").read_text()


@pytest.mark.parametrize("log", ["/dev/full", "/proc/none/job.log"])
def test_a_log_that_cannot_be_written_hides_no_error_and_stops_no_job(tmp_path, capsys, log):
    snakemake = SimpleNamespace(log=[log], output=[OUTPUT])
    error = DataError("a.wav", "is silent", "Leave it out.")
    assert "ERROR a.wav: is silent" in said(capsys, error, snakemake)
    done = []
    job.run(lambda _: [print("words " * 9999), done.append(1)], snakemake)
    assert done == [1]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and os.geteuid() == 0
    if (
        not mounted
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True
        ).returncode
    ):
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_up_while_a_product_and_its_log_are_written(small_disk, capsys):
    import numpy as np

    from asdflow.products import frames

    path = small_disk / "results/frames/own/logmel/fan.parquet"
    snakemake = SimpleNamespace(log=[str(small_disk / "results/logs/fan.log")], output=[str(path)])

    def main(_):
        print("a log of its own " * 1000)
        with frames.frame_writer(path, {}) as writer:
            for number in range(100):
                noise = np.random.default_rng(number).normal(size=(100, 8, 96)).astype(np.float32)
                writer.add(f"{number:04}", "a", noise)

    with pytest.raises(SystemExit):
        job.run(main, snakemake)
    printed = capsys.readouterr().err
    assert f"ERROR {path}: the disk is full. Free space" in printed and "Traceback" not in printed
    assert [file for file in path.parent.iterdir()] == []
