"""Backends: from references to an anomaly score, a file each; they do not know how a bank was changed."""

from asdflow.foundation.registry import Registry

REGISTRY = Registry("backend", __name__)
register = REGISTRY.register
