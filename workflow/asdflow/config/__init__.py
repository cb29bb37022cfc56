"""Configuration: one YAML file to a checked study; does not know which files the study makes."""

from asdflow.config.study import load, read
from asdflow.products.study import Study

__all__ = ["Study", "load", "read"]
