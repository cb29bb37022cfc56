"""Configuration: one YAML file, checked by a schema that is made from the typed members of every axis."""

from asdflow.config.study import Study, load

__all__ = ["Study", "load"]
