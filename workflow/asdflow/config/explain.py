"""From a schema violation to a message that names the file, the line, the key and the nearest valid key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonschema import ValidationError

from asdflow.foundation.errors import ConfigError


def explain(error: ValidationError, files: Sequence[Path], schema: dict[str, Any]) -> ConfigError:
    """The configuration error behind a violation."""
    path = [str(part) for part in error.absolute_path]
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known))
        patterns = error.schema.get("patternProperties", {})
        unknown = [key for key in unknown if not any(re.search(p, str(key)) for p in patterns)]
        key = unknown[0] if unknown else "?"
        where = place(files, [*path, str(key)])
        if patterns:
            return ConfigError(
                where,
                f"the name {key!r} cannot be used for a file",
                "Use letters, digits, '_', '-' and '.', beginning with a letter or digit.",
            )
        return ConfigError(where, f"key {key!r} is not known", nearest(str(key), known))
    where = place(files, path)
    if error.validator == "enum":
        options = [str(value) for value in error.validator_value]
        return ConfigError(where, f"{error.instance!r} is not known", nearest(str(error.instance), options))
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        remedy = "Add it."
        names = error.schema.get("properties", {}).get(missing, {}).get("enum")
        if names:
            remedy = f"Add it; one of {', '.join(names)}."
        return ConfigError(where, f"the key {missing!r} is missing", remedy)
    if error.validator in ("anyOf", "oneOf") and error.context:
        options = "; or ".join(sorted({inner.message for inner in error.context}))
        return ConfigError(where, f"{error.instance!r} does not fit: {options}", "Correct the value.")
    limit = error.schema.get("description", "Correct the value.")
    return ConfigError(where, error.message, f"Meaning of this option: {limit}")


def place(files: Sequence[Path], keys: Sequence[str]) -> str:
    """`file, line n, key a.b.c` of the last file that has the key; the command line where none has."""
    dotted = ".".join(keys) or "top level"
    for file in reversed(files):
        line = _line(file, keys)
        if line is not None:
            return f"{file}, line {line}, key {dotted}"
    name = str(files[-1]) if files else "--config"
    return f"{name}, key {dotted}"


def _line(file: Path, keys: Sequence[str]) -> int | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        node = YAML(typ="rt").load(file.read_text(encoding="utf-8"))
    except (OSError, YAMLError):
        return None
    line = 1
    for key in keys:
        if isinstance(node, dict):
            match = next((name for name in node if str(name) == key), None)
            if match is None:
                return None
            line, node = node.lc.key(match)[0] + 1, node[match]
        elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
            line, node = node.lc.item(int(key))[0] + 1, node[int(key)]
        else:
            return None
    return line


def nearest(key: str, known: Sequence[str]) -> str:
    """The remedy for an unknown word: the nearest that is known, and all of them."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return f"{hint}Known: {', '.join(known) or 'none'}."
