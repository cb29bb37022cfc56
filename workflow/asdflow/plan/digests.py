"""Digests of what decides a product besides its input files: code, libraries, the schema it keeps.

Snakemake does not see edits to imported modules and takes a touched script for a changed one, so rules carry
these digests as parameters instead: unchanged meaning gives the same digest, whatever the time stamps say.

What counts, for a script and the members that it finds by name:

* every asdflow module that they import, in turn, with its constants and statements; not its comments and
  docstrings, but for pages, which print docstrings;
* files of other suffixes beside these modules (templates, style sheets), and those of resources/ that they
  name;
* the versions of the libraries that these modules import, of those that compute; an optional one counts
  where an entry asks for it.

Plumbing does not count: it finds, checks, stores and explains, but decides no number. Pages are cheap and
show words, so that for them everything counts.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from asdflow.foundation.libraries import DECIDING as DECIDING_LIBRARIES
from asdflow.products.schemas import SCHEMAS

#: Packages and modules that decide no number. `schema_digest` covers what a product looks like.
PLUMBING = (
    *("asdflow.foundation", "asdflow.products", "asdflow.checkpoints", "asdflow.download"),
    *("asdflow.config", "asdflow.plan", "asdflow.pipeline.build", "asdflow.stages.job"),
)
#: A part of them that does.
DECIDING = ("asdflow.foundation.seeds",)
#: Scripts that make what people read.
PAGES = frozenset({"report", "leaderboard", "figures"})
#: Import names of libraries that make pictures and pages.
DRAWING = frozenset({"jinja2", "matplotlib"})
#: Suffixes of files that modules read from their own folder.
BESIDE = frozenset({".css", ".j2", ".js", ".json"})
PACKAGE = Path(__file__).parents[1]
SCRIPTS = PACKAGE.parent / "scripts"


def code_digest(script: str, *modules: str, libraries: Iterable[str] = ()) -> str:
    """Digest of a script, the asdflow modules named, and all that these import in turn.

    Parameters
    ----------
    script : str
        Name of a file in workflow/scripts, without suffix.
    modules : str
        Members that the script finds by name at run time, e.g. "asdflow.backends.knn".
    libraries : iterable of str
        Distributions that compute beside those that are imported, e.g. of an option ("faiss-cpu").
    """
    parts = decided_by(script, *modules)
    digest = hashlib.sha256()
    for path in sorted(parts.files):
        digest.update(f"{_relative(path)} {_meaning(path, parts.page)}\n".encode())
    for name in sorted(parts.libraries | set(libraries)):
        digest.update(f"{name} {_version(name)}\n".encode())
    return digest.hexdigest()[:16]


@cache
def schema_digest(kind: str) -> str:
    """Digest of a product's declaration."""
    return hashlib.sha256(repr(SCHEMAS[kind]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Parts:
    """What a digest is made of.

    Attributes
    ----------
    files : set of paths
    libraries : set of str
        Distributions.
    page : bool
        Docstrings count.
    """

    files: frozenset[Path]
    libraries: frozenset[str]
    page: bool


def decided_by(script: str, *modules: str) -> Parts:
    """Files and libraries that decide what a script makes; parameters as of `code_digest`."""
    page = script in PAGES
    pending = [SCRIPTS / f"{script}.py", *(file for name in modules for file in _files(name))]
    files, libraries = set(), set()
    while pending:
        file = pending.pop()
        if file in files:
            continue
        files.add(file)
        source = _source(file)
        libraries |= source.libraries & {*DECIDING_LIBRARIES, *(DRAWING if page else ())}
        files |= _beside(file)
        files |= {path for name in source.texts if (path := _resources() / name).is_file()}
        pending += [
            found for name in source.modules if page or not _is_plumbing(name) for found in _files(name)
        ]
    return Parts(frozenset(files), frozenset(libraries), page)


def _is_plumbing(module: str) -> bool:
    return _within(module, PLUMBING) and not _within(module, DECIDING)


def _within(module: str, packages: Iterable[str]) -> bool:
    return any(f"{module}.".startswith(f"{one}.") for one in packages)


def _relative(path: Path) -> str:
    """Where a file lies in the project, on any computer."""
    return path.relative_to(PACKAGE.parents[1]).as_posix()


def _resources() -> Path:
    return PACKAGE.parents[1] / "resources"


def _beside(file: Path) -> set[Path]:
    """Files of other suffixes in the folder of a module."""
    return {path for path in file.parent.iterdir() if path.suffix in BESIDE}


def _files(module: str) -> list[Path]:
    """File of a module, of the first module of a package, or of what is imported from one of them.

    The first module of a package is run as well when another one of it is imported; it re-exports, and
    decides nothing.
    """
    for name in (module, module.rpartition(".")[0]):
        base = PACKAGE.joinpath(*name.split(".")[1:])
        for file in (base / "__init__.py", base.with_suffix(".py")):
            if file.is_file():
                return [file] if file != PACKAGE / "__init__.py" else []
    return []


def _meaning(path: Path, page: bool) -> str:
    """Digest of a file: its statements if it is Python, else its bytes."""
    if path.suffix != ".py":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    source = _source(path)
    return source.with_words if page else source.statements


@dataclass(frozen=True)
class _Source:
    """What matters of the text of a Python file."""

    statements: str
    with_words: str
    modules: frozenset[str]
    libraries: frozenset[str]
    texts: frozenset[str]


def _source(file: Path) -> _Source:
    return _parsed(file.read_text(encoding="utf-8"), file.relative_to(PACKAGE.parent).as_posix())


@cache
def _parsed(text: str, name: str) -> _Source:
    """`name` is the file's path below workflow/."""
    tree = ast.parse(text, filename=name)
    with_words = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    modules: set[str] = set()
    _strip(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = node.module or ""
            if node.level:
                inside = Path(name).with_suffix("").parts
                package = ".".join([*inside[: len(inside) - node.level], *filter(None, [node.module])])
            modules.update(f"{package}.{alias.name}" for alias in node.names)
    return _Source(
        hashlib.sha256(ast.dump(tree).encode()).hexdigest(),
        with_words,
        frozenset(one for one in modules if one.startswith("asdflow.")),
        frozenset(one.split(".")[0] for one in modules),
        frozenset(text for text in texts if isinstance(text, str) and text.endswith((".yaml", ".csv"))),
    )


def _strip(tree: ast.AST) -> None:
    """Take out what is not run: docstrings, and imports for type checkers."""
    for node in ast.walk(tree):
        for block in ("body", "orelse"):
            statements = getattr(node, block, None)
            if isinstance(statements, list):
                kept = [one for one in statements if not (_is_text(one) or _is_for_checkers(one))]
                setattr(node, block, kept)


def _is_text(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _is_for_checkers(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.If)
        and isinstance(statement.test, ast.Name)
        and statement.test.id == "TYPE_CHECKING"
    )


@cache
def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"
