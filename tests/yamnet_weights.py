"""Finds the YAMNet weights for tests: in the project's folder of checkpoints, or fetched into it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asdflow import checkpoints
from asdflow.foundation.errors import FetchError

ROOT = Path(__file__).resolve().parents[1]


def yamnet_folder() -> Path:
    """Folder that holds the verified file; skips the test, and says why, where no source can be reached."""
    folder = Path(os.environ.get("ASDFLOW_CHECKPOINTS") or ROOT / "resources" / "checkpoints")
    try:
        return checkpoints.fetch("yamnet", folder, progress=False).parent
    except FetchError as error:
        if (folder / "yamnet.tflite").exists():
            raise  # a wrong file is a failure, not a reason to skip
        pytest.skip(f"YAMNet weights absent and no source reached: {error}")
