"""Versions of what decides the numbers: Python, asdflow, and the libraries that compute with them."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

#: Libraries whose arithmetic reaches a result; those that draw, download, store or schedule are not here.
DECIDING = (
    *("numpy", "scipy", "numba", "torch", "torchaudio", "soundfile"),
    *("transformers", "faiss-cpu", "polars"),
)


def versions() -> dict[str, str]:
    """Version of each, of Python and asdflow first; what is not installed is left out."""
    found = {"Python": platform.python_version()}
    for package in ("asdflow", *DECIDING):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
