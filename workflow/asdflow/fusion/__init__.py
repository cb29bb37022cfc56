"""Fusions: the scores of several detectors to one. One file a member."""

from asdflow.foundation.registry import Registry

REGISTRY = Registry("fusion", __name__)
register = REGISTRY.register
