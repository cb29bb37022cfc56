"""Figures: tables of results to pictures. One file a member."""

from asdflow.registry import Registry

REGISTRY = Registry("figure", __name__)
register = REGISTRY.register
