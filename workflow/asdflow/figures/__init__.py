"""Figures: tables of results to pictures. One file a member."""

from asdflow.foundation.registry import Registry

REGISTRY = Registry("figure", __name__)
register = REGISTRY.register
