"""The JSON Schema of a configuration, made from the typed models and from the members of every axis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from asdflow import backends, datasets, encoders, figures, fusion, normalizations, poolings
from asdflow.config.models import StudyModel
from asdflow.foundation.registry import NAME_PATTERN, Registry

# Key of the configuration -> members of its entries.
AXES: dict[str, Registry] = {
    "datasets": datasets.REGISTRY,
    "encoders": encoders.REGISTRY,
    "poolings": poolings.REGISTRY,
    "fusions": fusion.REGISTRY,
    "figures": figures.REGISTRY,
}
# Key of a detector -> members of its parts.
PARTS: dict[str, Registry] = {"backend": backends.REGISTRY, "normalization": normalizations.REGISTRY}
# What an entry calls its member, where it does not say `name`; the normal form says `name` everywhere.
NAMED_BY = {"datasets": "kind"}
# Registries whose parameters may be lists of values: `asdflow.config.sweeps`.
SWEPT = (poolings.REGISTRY, *PARTS.values())
# Option of every fusion that the study settles, not the fusion.
MEMBERS = {
    "type": "array",
    "items": {"type": "string"},
    "minItems": 1,
    "uniqueItems": True,
    "description": "Detectors to join; the name of a sweep stands for all of its detectors. Default: every "
    "detector that is not part of a sweep.",
}


@cache
def schema() -> Mapping[str, Any]:
    """JSON Schema (draft 2020-12) of a whole configuration file."""
    result = StudyModel.model_json_schema()
    definitions = result.setdefault("$defs", {})
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    for axis, registry in AXES.items():
        key = NAMED_BY.get(axis, "name")
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
    options = member.get("properties", {})
    if registry in SWEPT:
        free = sweepable(registry, name)
        options = {option: _swept(value) if option in free else value for option, value in options.items()}
    if registry is fusion.REGISTRY:
        options = {"members": MEMBERS} | options
    member["properties"] = {key: {"const": name}} | options
    member["additionalProperties"] = False
    member.pop("title", None)
    summary = (registry.member(name).__doc__ or "").strip().splitlines()
    member["description"] = summary[0] if summary else name
    return member


def sweepable(registry: Registry, name: str) -> frozenset[str]:
    """Parameters of a member that hold one value, so that a list means several; not those that are lists."""
    options = registry.adapter(name).json_schema().get("properties", {})
    return frozenset(option for option, value in options.items() if _is_scalar(value))


def single(option: Mapping[str, Any]) -> Mapping[str, Any]:
    """Schema of one value of an option that may be swept; any other option as it is."""
    return (
        option["else"] | {k: v for k, v in option.items() if k == "default"} if "else" in option else option
    )


def _is_scalar(option: Mapping[str, Any]) -> bool:
    choices = option.get("anyOf", [option])
    kinds = {choice.get("type", "const" if {"const", "enum"} & set(choice) else None) for choice in choices}
    return not kinds & {"array", "object", None}


def _swept(option: Mapping[str, Any]) -> dict[str, Any]:
    """Schema of one value, or of a list of different values that are not null."""
    value = {key: part for key, part in option.items() if key != "default"}
    items = dict(value)
    if "anyOf" in value:
        choices = [choice for choice in value["anyOf"] if choice.get("type") != "null"]
        items = {key: part for key, part in value.items() if key != "anyOf"}
        items |= choices[0] if len(choices) == 1 else {"anyOf": choices}
    shown = {key: option[key] for key in ("description", "default") if key in option}
    return shown | {
        "if": {"type": "array"},
        "then": {
            "items": items,
            "minItems": 1,
            "uniqueItems": True,
            "description": "a list sweeps the option: one entry for each of its different values.",
        },
        "else": value,
    }
