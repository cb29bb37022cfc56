"""Poolings: (batch, time, bands, channels) frames to (batch, dimensions) vectors; they know no encoder."""

from asdflow.foundation.registry import Registry

REGISTRY = Registry("pooling", __name__)
register = REGISTRY.register
