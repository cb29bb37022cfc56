"""Fusions: the scores of several systems to one, a file each; they do not know how these were made."""

from asdflow.foundation.registry import Registry

REGISTRY = Registry("fusion", __name__)
register = REGISTRY.register
