"""Data sets: where clips come from, a file a kind; does not know encoders or what is computed of clips.

datasets:
  mine: {kind: folder, root: recordings, audio: {level: rms}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from asdflow.foundation.errors import ConfigError
from asdflow.foundation.registry import Registry

REGISTRY = Registry("dataset kind", __name__)
register = REGISTRY.register

GIVEN = "given"
"""Layer and pooling, in paths and tables, of vectors that came ready-made: neither was chosen here."""


def build(spec: Mapping[str, Any]):
    """Data set from its configuration entry, e.g. `{"kind": "folder", "root": "recordings"}`.

    Returns an `asdflow.datasets.base.Dataset`. Raises ConfigError for an unknown kind, option or value, with
    the nearest valid one.
    """
    from asdflow.datasets.base import Recordings, common_options

    if not isinstance(spec, Mapping) or "kind" not in spec:
        raise ConfigError(
            f"dataset {spec!r}",
            "has no kind",
            f"Write it as {{kind: ..., option: value}}. Known kinds: {', '.join(REGISTRY.names())}.",
        )
    options = {key: value for key, value in spec.items() if key != "kind"}
    if not issubclass(REGISTRY.member(spec["kind"]), Recordings):
        return REGISTRY.build({"name": spec["kind"], **options})
    own, common = common_options(options)
    found = replace(REGISTRY.build({"name": spec["kind"], **own}), **common)
    if found.audio.channel is None:
        found = replace(found, audio=replace(found.audio, channel=found.default_channel))
    return found
