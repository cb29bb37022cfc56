"""The study of the whole grid leaves nothing out."""

from __future__ import annotations

from ruamel.yaml import YAML

from asdflow import backends, normalizations
from asdflow.config import load
from asdflow.foundation.errors import ConfigError
from asdflow.pipeline import build

OF_BANDS = {"beam", "adabeam"}  # features without bands have nothing for them


def test_every_backend_stands_with_every_normalization_that_is_meaningful(root):
    text = (root / "config/studies/whole_grid.yaml").read_text(encoding="utf-8")
    there = {
        (spec["backend"]["name"], spec["normalization"][0]["name"])
        for spec in load(YAML(typ="safe").load(text)).detectors.values()
    }
    meaningful = set()
    for backend in set(backends.REGISTRY.names()) - OF_BANDS:
        for normalization in normalizations.REGISTRY.names():
            try:
                build.detector({"backend": {"name": backend}, "normalization": {"name": normalization}})
            except ConfigError:
                continue
            meaningful.add((backend, normalization))
    assert there == meaningful
    assert len(meaningful) > 40
