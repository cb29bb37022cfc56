"""Encoders: waveforms to (batch, time, bands, channels) features, a file each; they know no data set."""

from asdflow.foundation.registry import Registry

REGISTRY = Registry("encoder", __name__)
register = REGISTRY.register
