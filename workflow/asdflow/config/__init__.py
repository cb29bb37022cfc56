"""Configuration: one YAML file to a checked study; does not know which files the study makes."""

from asdflow.config.study import Study, load

__all__ = ["Study", "load"]
