"""config/README.md, made from the schema, so that it cannot fall behind the code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asdflow.config.schema import AXES, NAMED_BY, PARTS, schema, single

INTRODUCTION = """# Configuration

One YAML file is one study: `snakemake --cores all --configfile=config/demo.yaml all`. Without `--configfile`,
`config/config.yaml` is read. A single value can be changed on the command line:
`--config 'metrics={rounds: 2000}'`.

The names of entries (`nn`, `gem3`, ...) are yours. They become folders under `results/`, so they consist of
letters, digits, `_`, `-` and `.`. Each axis is a list of entries, and the study is their grid: every data set
with every encoder, pooling, detector and fusion.

Files are YAML 1.2: `yes` and `010` are a word and the number ten, a key stands once, and names of entries are
text as they are written. Unknown keys are refused, with file, line and the nearest valid key; where Snakemake
says no more than that a file is not YAML, `asdflow check --configfile FILE` names the line. Editors that know
JSON Schema complete and check the file as you type: `config/schemas/config.schema.json` (its first line shows
how).

This page is made from the code by `asdflow docs`; a test fails when the two differ.
"""

SWEEP = (
    "An option that is not a list may be a list of values, `{option: [1, 2, 4]}`: one entry a value "
    "([docs/sweeps.md](../docs/sweeps.md))."
)
HEADINGS = {
    "datasets": "An entry: `name: {kind: ..., option: value}`.",
    "encoders": "An entry: `name: {name: ..., option: value}`.",
    "poolings": "An entry: `name: {name: ..., option: value}`. " + SWEEP,
    "fusions": "An entry: `name: {name: ..., option: value}`. It joins the detectors of `members`.",
    "figures": "An entry: `name: {name: ..., option: value}`. Without this key every figure is drawn.",
}


def text() -> str:
    """The page."""
    whole = schema()
    definitions = whole["$defs"]
    parts = [
        INTRODUCTION,
        "## Top level\n",
        _table(whole["properties"], whole.get("required", []), definitions),
    ]
    for axis in ("datasets", "encoders", "poolings"):
        parts += _axis(axis, definitions)
    parts += [
        "## detectors\n",
        "An entry: `name: {backend: {name: ..., option: value}, normalization: {name: ..., option: value}}`. "
        "The normalization may be left out, or be a list that composes in order. " + SWEEP + "\n",
    ]
    for part, registry in PARTS.items():
        parts += [f"### {part}\n", *_members(registry, "name", definitions, level="####")]
    for axis in ("fusions", "figures"):
        parts += _axis(axis, definitions)
    for name, model in (
        ("extraction", "ExtractionOptions"),
        ("metrics", "MetricsOptions"),
        ("report", "ReportOptions"),
    ):
        definition = definitions[model]
        parts += [
            f"## {name}\n",
            _table(definition["properties"], definition.get("required", []), definitions),
        ]
    return "\n".join(parts).rstrip() + "\n"


def write(path: str | Path) -> None:
    """Write the page."""
    Path(path).write_text(text(), encoding="utf-8")


def _axis(axis: str, definitions: Mapping[str, Any]) -> list[str]:
    members = _members(AXES[axis], NAMED_BY.get(axis, "name"), definitions, level="###")
    return [f"## {axis}\n", HEADINGS[axis] + "\n", *members]


def _members(registry, key: str, definitions: Mapping[str, Any], level: str) -> list[str]:
    parts = []
    for name in registry.names():
        member = definitions[f"{registry.axis.replace(' ', '_')}.{name}"]
        options = {option: single(value) for option, value in member["properties"].items() if option != key}
        parts.append(f"{level} `{name}`\n\n{member['description']}\n")
        if options:
            parts.append(_table(options, member.get("required", []), definitions))
    return parts


def _table(options: Mapping[str, Any], required: list[str], definitions: Mapping[str, Any]) -> str:
    rows = ["| option | type | default | meaning |", "|---|---|---|---|"]
    for name, option in options.items():
        rows += _rows(name, option, name in required, definitions)
    return "\n".join(rows) + "\n"


def _rows(name: str, option: Mapping[str, Any], required: bool, definitions: Mapping[str, Any]) -> list[str]:
    inner = _reference(option, definitions)
    default = "required" if required else f"`{json.dumps(option.get('default'))}`"
    if "default" not in option and not required:
        default = "see below" if inner else "empty"
    meaning = option.get("description") or (inner or {}).get("description", "").split("\n")[0]
    cells = [f"`{name}`", _type(option, definitions), default, meaning]
    rows = ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"]
    for child, value in (inner or {}).get("properties", {}).items():
        rows += _rows(f"{name}.{child}", value, child in inner.get("required", []), definitions)
    return rows


def _reference(option: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The nested model of an option, if it has one."""
    for choice in (option, *option.get("anyOf", []), *option.get("allOf", [])):
        if "$ref" in choice:
            return definitions[choice["$ref"].removeprefix("#/$defs/")]
    return None


def _type(option: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "anyOf" in option:
        return " or ".join(dict.fromkeys(_type(choice, definitions) for choice in option["anyOf"]))
    if "enum" in option:
        return " or ".join(f"`{value}`" for value in option["enum"])
    if "const" in option:
        return f"`{option['const']}`"
    if "$ref" in option:
        return "options"
    kind = {"null": "nothing", "object": "entries", "array": "list"}.get(
        option.get("type", ""), option.get("type", "entry")
    )
    if kind == "list" and option.get("items", {}).get("type"):
        kind = f"list of {option['items']['type']}"
    limits = [
        f"{sign} {option[key]:g}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if key in option
    ]
    return f"{kind} {', '.join(limits)}".strip()
