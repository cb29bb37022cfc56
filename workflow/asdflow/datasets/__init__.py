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


def build(spec: Mapping[str, Any]):
    """Data set from its configuration entry, e.g. `{"kind": "folder", "root": "recordings"}`.

    The normal form of a study, which says `name` for `kind`, is taken as well.

    Returns an `asdflow.datasets.base.Dataset`. Raises ConfigError for an unknown kind, option or value, with
    the nearest valid one.
    """
    from asdflow.datasets.base import Recordings

    if not isinstance(spec, Mapping) or not {"kind", "name"} & spec.keys():
        raise ConfigError(
            f"dataset {spec!r}",
            "has no kind",
            f"Write it as {{kind: ..., option: value}}. Known kinds: {', '.join(REGISTRY.names())}.",
        )
    named = {"name": spec["kind"], **spec} if "kind" in spec else spec
    found = REGISTRY.build({key: value for key, value in named.items() if key != "kind"})
    if isinstance(found, Recordings) and found.audio.channel is None:
        found = replace(found, audio=replace(found.audio, channel=found.default_channel))
    return found
