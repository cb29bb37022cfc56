"""Imports run one way: every room of the library stands on a layer, and imports only from layers below."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import LAYERS, LEVEL

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "workflow" / "asdflow"
ROOMS = sorted(path.name for path in LIBRARY.iterdir() if (path / "__init__.py").is_file())
FILES = sorted(path.relative_to(LIBRARY) for path in LIBRARY.rglob("*.py"))


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Line and asdflow module of every import of a file, those inside functions and for type checkers too."""
    for node in ast.walk(ast.parse((LIBRARY / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inside = ("asdflow", *file.with_suffix("").parts)
            parents = list(inside[: len(inside) - node.level]) if node.level else []
            package = ".".join([*parents, *filter(None, [node.module])])
            yield from ((node.lineno, f"{package}.{alias.name}") for alias in node.names)


def runs(file: Path) -> Iterator[str]:
    """asdflow modules that a file imports when it is imported itself."""
    pending = list(ast.parse((LIBRARY / file).read_text(encoding="utf-8")).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("asdflow"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        pending += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


def test_every_room_has_a_layer_and_every_layer_its_rooms():
    assert ROOMS == sorted(LEVEL)


def test_no_module_stands_beside_the_rooms():
    assert [path.name for path in LIBRARY.iterdir() if path.suffix == ".py"] == ["__init__.py"]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_in_its_first_line_what_it_knows_and_what_not(room):
    text = ast.get_docstring(ast.parse((LIBRARY / room / "__init__.py").read_text(encoding="utf-8")))
    first = (text or "").splitlines()[0]
    assert any(word in first for word in (" not ", " no ", "nothing", "nor ")), first


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_layers_below(room):
    upward = [
        f"{file}, line {line}: {name}"
        for file in FILES
        if file.parts[0] == room
        for line, name in imports(file)
        if name.startswith("asdflow.")
        and (other := name.split(".")[1]) != room
        and LEVEL.get(other, 0) >= LEVEL[room]
    ]
    assert upward == []


def test_no_room_imports_itself_in_a_circle():
    modules = {".".join(("asdflow", *file.with_suffix("").parts)).removesuffix(".__init__") for file in FILES}
    edges = {}
    for file in FILES:
        name = ".".join(("asdflow", *file.with_suffix("").parts)).removesuffix(".__init__")
        found = {one if one in modules else one.rpartition(".")[0] for one in runs(file)}
        edges[name] = {one for one in found if one in modules and one != name}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for other in sorted(edges[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in sorted(modules):
        visit(name, ())


def test_the_library_never_imports_snakemake():
    named = [file for file in FILES for _, name in imports(file) if name.split(".")[0] == "snakemake"]
    assert named == []


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_file_is_one_thing_of_300_lines_at_most(file):
    assert len((LIBRARY / file).read_text(encoding="utf-8").splitlines()) <= 300


def test_the_layers_are_those_of_the_page():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for rooms in LAYERS:
        assert " · ".join(f"`{room}`" for room in rooms) in page
