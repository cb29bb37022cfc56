"""Normalizations: make scores comparable between domains. One file a member."""

from asdflow.foundation.registry import Registry

REGISTRY = Registry("normalization", __name__)
register = REGISTRY.register
