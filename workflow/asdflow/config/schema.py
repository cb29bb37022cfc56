"""The JSON Schema of a configuration, made from the typed models and from the members of every axis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from asdflow import backends, datasets, encoders, figures, fusion, normalizations, poolings
from asdflow.config.models import StudyModel
from asdflow.registry import NAME_PATTERN, Registry

# Key of the configuration -> (registry, the key of an entry that names the member).
AXES: dict[str, tuple[Registry, str]] = {
    "datasets": (datasets.REGISTRY, "kind"),
    "encoders": (encoders.REGISTRY, "name"),
    "poolings": (poolings.REGISTRY, "name"),
    "fusions": (fusion.REGISTRY, "name"),
    "figures": (figures.REGISTRY, "name"),
}
PARTS = {"backend": backends.REGISTRY, "normalization": normalizations.REGISTRY}


@cache
def schema() -> Mapping[str, Any]:
    """JSON Schema (draft 2020-12) of a whole configuration file."""
    result = StudyModel.model_json_schema()
    definitions = result.setdefault("$defs", {})
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    for axis, (registry, key) in AXES.items():
        result["properties"][axis] |= _entries(_choice(registry, key, definitions))
    detector = {
        "type": "object",
        "required": ["backend"],
        "additionalProperties": False,
        "properties": {
            "backend": _choice(PARTS["backend"], "name", definitions)
            | {"description": "Turns a bank of normal vectors into a score."},
            "normalization": {
                "description": "Makes scores comparable between domains; a list composes in order.",
                "if": {"type": "array"},
                "then": {"items": _choice(PARTS["normalization"], "name", definitions)},
                "else": _choice(PARTS["normalization"], "name", definitions),
            },
        },
    }
    definitions["detector"] = detector
    result["properties"]["detectors"] |= _entries({"$ref": "#/$defs/detector"})
    return result


def text() -> str:
    """The schema as it is committed for editors: sorted, indented, one newline at the end."""
    return json.dumps(schema(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write(path: str | Path) -> None:
    """Write the schema file."""
    Path(path).write_text(text(), encoding="utf-8")


def _entries(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "additionalProperties": False,
        "patternProperties": {NAME_PATTERN: entry},
        "propertyNames": {"pattern": NAME_PATTERN},
    }


def _choice(registry: Registry, key: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Schema of one entry: `key` selects the member, and with it the parameters that are allowed."""
    names = registry.names()
    cases = []
    for name in names:
        reference = f"{registry.axis.replace(' ', '_')}.{name}"
        if reference not in definitions:
            definitions[reference] = _member(registry, key, name, definitions)
        cases.append(
            {
                "if": {"properties": {key: {"const": name}}, "required": [key]},
                "then": {"$ref": f"#/$defs/{reference}"},
            }
        )
    return {"type": "object", "required": [key], "properties": {key: {"enum": names}}, "allOf": cases}


def _member(registry: Registry, key: str, name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    member = registry.adapter(name).json_schema(ref_template="#/$defs/{model}")
    for inner, definition in member.pop("$defs", {}).items():
        definitions.setdefault(inner, definition)
    member["properties"] = {key: {"const": name}} | member.get("properties", {})
    member["additionalProperties"] = False
    member.pop("title", None)
    summary = (registry.member(name).__doc__ or "").strip().splitlines()
    member["description"] = summary[0] if summary else name
    return member
