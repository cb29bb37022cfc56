"""Members are found by file name, and a wrong entry is explained."""

from __future__ import annotations

import importlib
import sys
from textwrap import dedent

import pytest

from asdflow.foundation.errors import ConfigError
from asdflow.foundation.registry import Registry

MEMBER = dedent(
    '''
    from dataclasses import dataclass
    from typing import Annotated
    from pydantic import Field
    from zoo import register

    @register("cat")
    @dataclass(frozen=True)
    class Cat:
        """A cat."""
        lives: Annotated[int, Field(ge=1, le=9, description="Left.")] = 9
        name_of: Annotated[str, Field(description="Of the cat.")] = "Tom"
    '''
)


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    package = tmp_path / "zoo"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from asdflow.foundation.registry import Registry\nREGISTRY = Registry('animal', __name__)\n"
        "register = REGISTRY.register\n"
    )
    (package / "cat.py").write_text(MEMBER)
    (package / "_helper.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield importlib.import_module("zoo").REGISTRY
    for name in [name for name in sys.modules if name.split(".")[0] == "zoo"]:
        del sys.modules[name]


def test_a_file_in_the_folder_is_a_member_and_helpers_are_not(zoo):
    assert zoo.names() == ["cat"]


def test_defaults_fill_in_what_the_entry_leaves_out(zoo):
    assert zoo.build({"name": "cat", "lives": 3}).lives == 3
    assert zoo.build({"name": "cat"}).lives == 9


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "kat"}, r"animal 'kat': is not known. Did you mean 'cat'\?"),
        ({"name": "cat", "live": 3}, r"parameter 'live'.*Did you mean 'lives'\?"),
        ({"name": "cat", "lives": 10}, "10 is greater than the maximum of 9"),
        ({"name": "cat", "lives": "3"}, "'3' is not of type 'integer'"),
        ({"name": "cat", "lives": True}, "True is not of type 'integer'"),
        ({"lives": 3}, "has no name"),
    ],
)
def test_a_wrong_entry_is_explained(zoo, spec, message):
    with pytest.raises(ConfigError, match=message):
        zoo.build(spec)


def test_a_member_must_live_in_the_file_of_its_name(tmp_path):
    registry = Registry("animal", __name__)
    with pytest.raises(ConfigError, match=r"Call the module dog\.py"):
        registry.register("dog")(type("Dog", (), {"__module__": f"{__name__}.cat"}))
