"""From YAML files to a checked study: axes, options and messages are made from the members; runs nothing."""

from asdflow.config.study import load, read
from asdflow.products.study import Study

__all__ = ["Study", "load", "read"]
