"""Poolings: (batch, time, bands, channels) frames to (batch, dimensions) clip vectors. One file a member."""

from asdflow.foundation.registry import Registry

REGISTRY = Registry("pooling", __name__)
register = REGISTRY.register
