"""Normalizations: make scores comparable between domains, a file each; they know no test label."""

from asdflow.foundation.registry import Registry

REGISTRY = Registry("normalization", __name__)
register = REGISTRY.register
