"""Backends: a bank of normal embeddings to an anomaly score. One file a member."""

from asdflow.foundation.registry import Registry

REGISTRY = Registry("backend", __name__)
register = REGISTRY.register
