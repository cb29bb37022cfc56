"""What pydantic refuses, in our words: which option, what is wrong with it, and what would be right."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from asdflow.foundation.errors import ConfigError, nearest

Keys = tuple[str | int, ...]

_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")
_MISSING = ("missing", "missing_argument", "missing_keyword_only_argument")
_TYPES = {
    "int_type": "integer",
    "int_from_float": "integer",
    "float_type": "number",
    "bool_type": "boolean",
    "string_type": "string",
    "list_type": "list",
    "tuple_type": "list",
    "dict_type": "entries",
    "model_type": "options",
    "dataclass_type": "options",
    "none_required": "nothing",
}
_LIMITS = {
    "greater_than_equal": ("ge", "is less than the minimum of"),
    "greater_than": ("gt", "is less than or equal to the minimum of"),
    "less_than_equal": ("le", "is greater than the maximum of"),
    "less_than": ("lt", "is greater than or equal to the maximum of"),
}


class OptionError(ConfigError):
    """An option of an entry is wrong; `keys` is the way to it within the entry."""

    def __init__(self, where: object, what: str, remedy: str, keys: Keys = ()) -> None:
        super().__init__(where, what, remedy)
        self.keys = keys

    def __reduce__(self):
        return type(self), (self.where, self.what, self.remedy, self.keys)


def explained(error: ValidationError, value: Any, schema: Mapping[str, Any]) -> tuple[Keys, str, str]:
    """The way to the first wrong option, what is wrong with it, and the remedy.

    Parameters
    ----------
    error : ValidationError
    value : the options that were refused
    schema : their JSON Schema
        It knows the options that there are, and what each means.
    """
    found = [(_keys(each["loc"], value), each) for each in error.errors(include_url=False)]
    keys, first = found[0]
    if first["type"] in _UNKNOWN:
        known = list(_options(schema, keys[:-1]).get("properties", {}))
        return keys, f"key {keys[-1]!r} is not known", nearest(str(keys[-1]), known)
    if first["type"] in _MISSING:
        return keys[:-1], f"the key {keys[-1]!r} is missing", "Add it."
    if "[key]" in first["loc"]:
        remedy = "Use letters, digits, '_', '-' and '.', beginning with a letter or digit."
        return keys, f"the name {first['loc'][-2]!r} cannot be used for a file", remedy
    # A value of several possible types fails once for each of them.
    alternatives = [each for other, each in found if other == keys]
    option = _options(schema, keys)
    meaning = option.get("description")
    remedy = f"Meaning of this option: {meaning}" if meaning else "Correct the value."
    if len(alternatives) == 1:
        if first["type"] == "literal_error":
            return keys, f"{first['input']!r} is not known", nearest(str(first["input"]), _literals(option))
        return keys, _said(first), remedy
    said = list(dict.fromkeys(_said(each) for each in alternatives))
    return keys, f"{first['input']!r} does not fit: {'; or '.join(said)}", remedy


def validated(cls: type, where: str, options: Any) -> Any:
    """Object of a dataclass from a mapping of its options.

    Raises OptionError with the nearest valid key, a wrong type or a value outside its limits.
    """
    adapter = _adapter(cls)
    schema = adapter.json_schema()
    if not isinstance(options, Mapping):
        known = ", ".join(schema.get("properties", {}))
        raise OptionError(where, f"must be options, got {options!r}", f"Known options: {known}.")
    try:  # as JSON, where a list may become a tuple and a mapping an object, but "3" and true are no numbers
        return adapter.validate_json(json.dumps(dict(options), default=str))
    except ValidationError as error:
        keys, what, remedy = explained(error, options, schema)
        raise OptionError(".".join(map(str, (where, *keys))), what, remedy, keys) from None


@cache
def _adapter(cls: type) -> TypeAdapter:
    return TypeAdapter(cls)


def _keys(location: Sequence[str | int], value: Any) -> Keys:
    """The part of pydantic's location that is a way into the value; the rest names branches of a type."""
    keys: list[str | int] = []
    for part in location:
        if isinstance(value, Mapping) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list | tuple) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        else:
            break
        if part == "[key]":
            break
        keys.append(part)
    return tuple(keys)


def _options(schema: Mapping[str, Any], keys: Keys) -> Mapping[str, Any]:
    """Schema of the option that the keys lead to."""
    node = _resolved(schema, schema)
    for key in keys:
        inner = node.get("properties", {}).get(key) or node.get("items") or node.get("additionalProperties")
        node = inner if isinstance(inner, Mapping) else {}
        own = {"description": node["description"]} if "description" in node else {}
        node = {**_resolved(node, schema), **own}
    return node


def _resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = [one for one in node.get("anyOf", node.get("allOf", [node])) if one.get("type") != "null"]
    one = choices[0] if len(choices) == 1 else node
    if "$ref" in one:
        return schema["$defs"][one["$ref"].removeprefix("#/$defs/")]
    return one


def _literals(option: Mapping[str, Any]) -> list[str]:
    choices = option.get("anyOf", [option])
    return [
        str(value) for one in choices for value in one.get("enum", [one["const"]] if "const" in one else [])
    ]


def _said(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors in our words."""
    kind, value = error["type"], error["input"]
    if kind in _TYPES:
        return f"{value!r} is not of type {_TYPES[kind]!r}"
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"{value!r} {words} {error['ctx'][key]:g}"
    if kind in ("too_short", "string_too_short"):
        return f"{value!r} should be non-empty"
    if kind == "literal_error":
        return f"{value!r} is not {error['ctx']['expected']}"
    return f"{value!r}: {error['msg']}"
