"""One function an axis: from a configuration entry to the object that does the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asdflow import backends, encoders, normalizations, poolings
from asdflow import fusion as fusions


def encoder(spec: Mapping[str, Any]):
    """Encoder from its entry, e.g. `{"name": "yamnet", "layers": ["conv9"]}`. Weights load on first use."""
    return encoders.REGISTRY.build(spec)


def pooling(spec: Mapping[str, Any]):
    """Pooling from its entry, e.g. `{"name": "gem", "p": 3.0}`: a callable on frames."""
    return poolings.REGISTRY.build(spec)


def backend(spec: Mapping[str, Any]):
    """Backend from its entry, e.g. `{"name": "knn", "k": 1, "metric": "cosine"}`."""
    return backends.REGISTRY.build(spec)


def normalization(spec: Mapping[str, Any]):
    """Normalization from its entry, e.g. `{"name": "density_ratio", "k": 1}`."""
    return normalizations.REGISTRY.build(spec)


def detector(spec: Mapping[str, Any]):
    """Detector from `{"backend": {...}, "normalization": {...}}`; the latter may be left out, or a list."""
    from asdflow.pipeline.detector import Detector

    return Detector.from_spec(spec)


def fusion(spec: Mapping[str, Any]):
    """Fusion from its entry, e.g. `{"name": "z_min"}`."""
    return fusions.REGISTRY.build(spec)
