"""Encoders: waveforms to frozen (batch, time, bands, channels) features. One file a member."""

from asdflow.foundation.registry import Registry

REGISTRY = Registry("encoder", __name__)
register = REGISTRY.register
