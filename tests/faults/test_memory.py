"""A job that needs more memory than there is says so in one line: what for, and what to lower."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asdflow.foundation.errors import out_of_memory

HERE = Path(__file__).parent
LOWER = {
    "frames": "cut long recordings into clips (`start_s` and `duration_s` in clips.csv)",
    "scores": "give each section fewer training clips",
}


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux to know how much is in use")
@pytest.mark.parametrize("megabytes", [4, 40])
@pytest.mark.parametrize("stage", LOWER)
def test_a_stage_under_a_limit_of_memory(stage, megabytes, tmp_path):
    done = subprocess.run(
        [sys.executable, str(HERE / "limited.py"), stage, str(megabytes)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line and "clips/s" not in line)
    assert line.startswith(f"ERROR results/{stage}/own/logmel/")
    assert "large.parquet: there is not enough memory (" in line
    assert line.endswith(f"(a smaller number behind --cores); or {LOWER[stage]}.")
    assert line in (tmp_path / "large.log").read_text(encoding="utf-8")
    assert list(tmp_path.glob(f"results/{stage}/**/*large*")) == []


def torch_without_memory():
    import torch

    torch.empty(1 << 50, dtype=torch.uint8)


def numpy_without_memory():
    import numpy

    numpy.empty(1 << 50, dtype=numpy.uint8)


def arrow_without_memory():
    import pyarrow

    pyarrow.allocate_buffer(1 << 50)


@pytest.mark.parametrize("library", [torch_without_memory, numpy_without_memory, arrow_without_memory])
def test_the_words_of_every_library_are_understood(library):
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        library()
    assert out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), OSError(2, "absent"), ValueError("bad_alloc")]
)
def test_other_errors_are_not_taken_for_it(error):
    assert not out_of_memory(error)
