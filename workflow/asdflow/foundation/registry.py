"""Registries: one folder an axis, one file a member, found by its name and by nothing else.

A member is a frozen dataclass whose fields are its parameters. The file `asdflow/backends/knn.py` holds
the member `knn`; adding a member is adding such a file. Parameters carry their type, limits and meaning
as `Annotated[int, Field(ge=1, description="...")]`, from which configuration errors, the JSON Schema and the
documentation are made.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from asdflow.foundation.errors import ConfigError, nearest
from asdflow.foundation.validation import OptionError, explained

#: Names of entries become folders and file names, in the study and on other people's disks.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class Registry:
    """The members of one axis.

    Parameters
    ----------
    axis : str
        Singular name for messages, e.g. "backend".
    package : str
        Dotted package whose modules are the members, e.g. "asdflow.backends". Modules that begin with an
        underscore, and a module called "base", are helpers and not members.
    """

    def __init__(self, axis: str, package: str) -> None:
        self.axis, self.package = axis, package
        self._members: dict[str, type] = {}

    def register(self, name: str) -> Callable[[type], type]:
        """Class decorator. The module that uses it must be called like the member."""

        def add(cls: type) -> type:
            module = cls.__module__.removeprefix(self.package + ".").split(".")[0]
            if module != name:
                raise ConfigError(
                    f"{cls.__module__}.{cls.__qualname__}",
                    f"registers the {self.axis} {name!r} from a module called {module!r}",
                    f"Call the module {name}.py, or register it as {module!r}.",
                )
            cls.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)
            cls.name = name
            self._members[name] = cls
            return cls

        return add

    def names(self) -> list[str]:
        """Sorted names of all members, without importing them."""
        path = importlib.import_module(self.package).__path__
        return sorted(
            info.name
            for info in pkgutil.iter_modules(path)
            if not info.name.startswith("_") and info.name != "base"
        )

    def member(self, name: str) -> type:
        """The dataclass of a member. Raises ConfigError with the nearest names when there is none."""
        if name not in self._members:
            if name not in self.names():
                raise OptionError(
                    f"{self.axis} {name!r}", "is not known", nearest(name, self.names()), keys=("name",)
                )
            importlib.import_module(f"{self.package}.{name}")
        return self._members[name]

    def module(self, spec: Mapping[str, Any]) -> str:
        """Module of the member that a specification names, e.g. "asdflow.poolings.gem"."""
        return f"{self.package}.{spec['name']}"

    def build(self, spec: Mapping[str, Any]) -> Any:
        """Member object from its specification `{"name": ..., parameter: value, ...}`.

        Raises OptionError for an unknown name or parameter (with the nearest valid one), a wrong type and a
        value outside its limits.
        """
        if not isinstance(spec, Mapping) or "name" not in spec:
            raise OptionError(
                f"{self.axis} {spec!r}", "has no name", "Write it as {name: ..., parameter: value}."
            )
        name = spec["name"]
        adapter = self.adapter(name)
        options = {key: value for key, value in spec.items() if key != "name"}
        try:
            # A configuration entry is JSON: a list may be a tuple, but "3" and true are no numbers.
            return adapter.validate_json(json.dumps(options, default=_plain))
        except ValidationError as error:
            keys, what, remedy = explained(error, options, adapter.json_schema())
            where = f"{self.axis} {name!r}"
            if keys:
                where += f", parameter {'.'.join(map(str, keys))!r}"
            raise OptionError(where, what, remedy, keys) from None

    def check(self, name: str, parameter: str, value: Any) -> None:
        """Raise OptionError unless a member's parameter may have the value; null is none."""
        option = self.adapter(name).json_schema()["properties"][parameter]
        if value is None:
            types = [one.get("type") for one in option.get("anyOf", [option])]
            wanted = " or ".join(sorted({one for one in types if one and one != "null"})) or "choice"
            raise OptionError(name, f"None is not of type {wanted!r}", "Leave it out of the list.")
        hints = get_type_hints(self.member(name), include_extras=True)
        try:
            _adapter(hints[parameter], strict=True).validate_json(json.dumps(value, default=_plain))
        except ValidationError as error:
            _, what, remedy = explained(error, value, option)
            raise OptionError(name, what, remedy) from None

    def adapter(self, name: str) -> TypeAdapter:
        """Validator and JSON Schema source of a member's parameters."""
        return _adapter(self.member(name))


def _plain(value: Any) -> Any:
    """Values that Python callers use where YAML would have text, numbers or mappings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} cannot stand in a configuration entry")


@cache
def _adapter(type_: Any, strict: bool = False) -> TypeAdapter:
    return TypeAdapter(type_, config=ConfigDict(strict=True)) if strict else TypeAdapter(type_)
