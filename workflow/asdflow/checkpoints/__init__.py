"""Checkpoints: weights known by name, fetched once, checked always; knows no network that reads them."""

from asdflow.checkpoints.models import hub_folder
from asdflow.checkpoints.registry import Checkpoint, checkpoint, load_registry, names
from asdflow.checkpoints.store import default_folder, fetch, locate, path_of, resolve, sha256_of, unverified

__all__ = [
    "Checkpoint",
    "checkpoint",
    "default_folder",
    "fetch",
    "hub_folder",
    "load_registry",
    "locate",
    "names",
    "path_of",
    "resolve",
    "sha256_of",
    "unverified",
]
