"""Figures: tables of results to pictures, a file each; they compute no score and no metric."""

from asdflow.foundation.registry import Registry

REGISTRY = Registry("figure", __name__)
register = REGISTRY.register
