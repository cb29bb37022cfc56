"""The study that a folder of results was made of, kept beside them: other commands need not be told again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asdflow.foundation.errors import ConfigError
from asdflow.foundation.files import whole_file
from asdflow.products import layout

FILE = layout.PLACES["study"]


def remember(config: Mapping[str, Any], results: str | Path = layout.RESULTS) -> None:
    """Keep a configuration in the folder of its results; the last run's study is the one that is kept."""
    text = json.dumps(config, indent=1, sort_keys=False, default=str) + "\n"
    file = Path(results) / FILE
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return
    with whole_file(file) as partial:
        partial.write_text(text, encoding="utf-8")


def find(results: str | Path = layout.RESULTS, default: str | Path = "config/config.yaml") -> Path:
    """The configuration of a folder of results: the one that made them, else the default study.

    Raises ConfigError naming both places when there is none.
    """
    kept = Path(results) / FILE
    for file in (kept, Path(default)):
        if file.is_file():
            return file
    raise ConfigError(
        "study",
        f"there is neither {kept}, which a run leaves, nor {default} in {Path.cwd()}",
        "Name it with --configfile, and run the command in the folder that holds its results.",
    )
