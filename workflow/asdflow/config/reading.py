"""Configuration files to plain values: YAML 1.2, one reader for every command; an error names file and line.

Names of entries are text as they are written (`2024:`, `yes:`), and a key stands once. Everything that YAML
allows beyond plain data (tags, merge keys, anchors that multiply) is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from asdflow.foundation.errors import ConfigError

MOST_VALUES = 100_000
"""Values of one file, aliases written out: a study of every kind of entry has some hundred."""
MOST_BYTES = 10_000_000
MOST_DEPTH = 50
PLAIN = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "map", "seq")
)


def read(files: Sequence[str | Path], settings: Sequence[str] = ()) -> dict[str, Any]:
    """The configuration of some files, each over those before it, and of settings over all.

    Parameters
    ----------
    files : paths
    settings : sequence of str
        As on the command line of Snakemake: "metrics={rounds: 2000}".

    Raises
    ------
    ConfigError
        A file is missing, not UTF-8 or not YAML; a key stands twice; a file does not consist of keys.
    """
    config: dict[str, Any] = {}
    for file in files:
        config = _over(config, _mapping(str(file), _text(Path(file))))
    for setting in settings:
        key, _, value = setting.partition("=")
        config = _over(config, _mapping(f"--config {setting}", f"{key}: {value}\n"))
    return config


def place(files: Sequence[str | Path], keys: Sequence[str | int]) -> str:
    """`file, line n, key a.b.c` of the last file that has the key; the command line where none has."""
    dotted = ".".join(map(str, keys)) or "top level"
    for file in reversed(files):
        line = _line(Path(file), keys)
        if line is not None:
            return f"{file}, line {line}, key {dotted}"
    name = str(files[-1]) if files else "--config"
    return f"{name}, key {dotted}"


def _over(below: Any, above: Any) -> Any:
    """`below` with what `above` says, key by key where both are mappings."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    joined = {key: _over(below[key], value) if key in below else value for key, value in above.items()}
    return {**below, **joined}


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise ConfigError(file, "does not exist", "Name a configuration that does.") from None
    except OSError as error:
        raise ConfigError(file, f"cannot be read ({error.strerror})", "Name a file that can.") from None
    if len(content) > MOST_BYTES:
        raise ConfigError(file, f"has {len(content)} bytes, too many for a study", "Name a configuration.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"byte 0x{content[error.start]:02x} is not UTF-8"
        raise ConfigError(f"{file}, line {line}", what, "Save the file as UTF-8.") from None


def _mapping(name: str, text: str) -> dict[str, Any]:
    node = _composed(name, text)
    if not isinstance(node, MappingNode):
        raise ConfigError(name, "does not consist of keys", "Write it as `datasets: ...`, `detectors: ...`.")
    return _Values(name).of(node, ())


def _composed(name: str, text: str) -> Node | None:
    """Tree of a text, with the lines of its parts."""
    try:
        return YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}, line {mark.line + 1}" if mark else name
        what = " ".join(filter(None, (error.context, error.problem)))
        remedy = "Correct the YAML; indent with spaces." if "\\t" in what else "Correct the YAML."
        raise ConfigError(where, what, remedy) from None
    except (YAMLError, ValueError) as error:
        what = str(error).splitlines()[0]
        raise ConfigError(name, f"is not YAML ({what})", "Correct the YAML.") from None
    except RecursionError:
        raise ConfigError(name, "is nested too deeply", "Write it with fewer levels.") from None


class _Values:
    """Plain values of the nodes of one file."""

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0
        self._constructor = YAML(typ="safe", pure=True).constructor

    def of(self, node: Node, keys: tuple[str, ...]) -> Any:
        """The value of a node; `keys` lead to it."""
        self.count += 1
        if self.count > MOST_VALUES or len(keys) > MOST_DEPTH:
            self._refuse(node, keys, "aliases or levels make too many values of it", "Write it with fewer.")
        if node.tag == "tag:yaml.org,2002:timestamp":  # no type of YAML 1.2's core: a date is text
            return node.value
        if node.tag not in PLAIN:
            self._refuse(
                node, keys, f"has the tag or type {node.tag!r}", "Write text, numbers, lists and keys."
            )
        if isinstance(node, ScalarNode):
            try:
                return self._constructor.construct_object(node)
            except (YAMLError, ValueError, OverflowError) as error:
                self._refuse(node, keys, f"cannot be read ({error})", "Correct the value.")
        if isinstance(node, SequenceNode):
            return [self.of(one, (*keys, str(number))) for number, one in enumerate(node.value)]
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._refuse(key, keys, "has a key that is no text", "Write keys as text.")
            if key.value in found:
                self._refuse(key, (*keys, key.value), "stands twice", "Keep one of them.")
            if key.tag.endswith(":merge"):
                self._refuse(key, (*keys, key.value), "is no key of YAML 1.2", "Write the options out.")
            found[key.value] = self.of(value, (*keys, key.value))
        return found

    def _refuse(self, node: Node, keys: Sequence[str], what: str, remedy: str) -> None:
        line = node.start_mark.line + 1
        raise ConfigError(f"{self.name}, line {line}, key {'.'.join(keys) or 'top level'}", what, remedy)


def _line(file: Path, keys: Sequence[str | int]) -> int | None:
    try:
        node = _composed(str(file), _text(file))
    except ConfigError:
        return None
    line = 1
    for key in map(str, keys):
        if isinstance(node, MappingNode):
            match = next((pair for pair in node.value if pair[0].value == key), None)
            if match is None:
                return None
            line, node = match[0].start_mark.line + 1, match[1]
        elif isinstance(node, SequenceNode) and key.isdecimal() and int(key) < len(node.value):
            node = node.value[int(key)]
            line = node.start_mark.line + 1
        else:
            return None
    return line
