"""Fusions: the scores of several detectors to one. One file a member."""

from asdflow.registry import Registry

REGISTRY = Registry("fusion", __name__)
register = REGISTRY.register
