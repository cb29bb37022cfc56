"""Digests of what decides a result besides its input files: the code that computes it, the schema it keeps.

Snakemake does not see edits to imported modules and takes a touched script for a changed one, so rules carry
these digests as parameters instead: unchanged bytes give the same digest, whatever the time stamps say.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

from asdflow.products.schemas import SCHEMAS

# Plumbing: finds, checks, stores and explains, but does not decide a number. An edit there must not redo a
# study. What a product looks like is covered by `schema_digest`.
PLUMBING = frozenset(
    f"asdflow.{name}"
    for name in (
        *("atomic", "build", "checkpoints", "config", "digests", "errors", "job", "plan"),
        *("registry", "schemas", "tables"),
    )
)
PACKAGE = Path(__file__).parents[1]
SCRIPTS = PACKAGE.parent / "scripts"


def code_digest(script: str, *modules: str) -> str:
    """Digest of a script, the asdflow modules named, and every asdflow module that these import in turn.

    Parameters
    ----------
    script : str
        Name of a file in workflow/scripts, without suffix.
    modules : str
        Members that the script finds by name at run time, e.g. "asdflow.backends.knn"; a package stands for
        all of its modules.
    """
    path = SCRIPTS / f"{script}.py"
    files = {path} | _closure(frozenset(modules) | _imports(path))
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.relative_to(PACKAGE.parent).as_posix()):
        digest.update(file.relative_to(PACKAGE.parent).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


@cache
def schema_digest(kind: str) -> str:
    """Digest of a product's declaration."""
    return hashlib.sha256(repr(SCHEMAS[kind]).encode()).hexdigest()[:16]


def _closure(modules: frozenset[str]) -> set[Path]:
    """Source files of the modules and of all asdflow modules they import, plumbing left out."""
    files: set[Path] = set()
    pending, seen = list(modules), set()
    while pending:
        name = pending.pop()
        if name in seen or ".".join(name.split(".")[:2]) in PLUMBING:
            continue
        seen.add(name)
        for file in _files(name):
            files.add(file)
            pending.extend(_imports(file))
    return files


@cache
def _files(module: str) -> tuple[Path, ...]:
    """Files of a module; a package that is no axis itself counts with all of its files."""
    base = PACKAGE.joinpath(*module.split(".")[1:])
    if base.with_suffix(".py").is_file():
        return (base.with_suffix(".py"),)
    if not base.is_dir():
        return ()
    registry = "Registry(" in (base / "__init__.py").read_text(encoding="utf-8")
    return () if registry or base == PACKAGE else tuple(sorted(base.rglob("*.py")))


@cache
def _imports(file: Path) -> frozenset[str]:
    """asdflow modules that a file imports anywhere, functions included."""
    names: set[str] = set()
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names if alias.name.startswith("asdflow."))
        elif isinstance(node, ast.ImportFrom):
            package = node.module or ""
            if node.level:
                inside = file.relative_to(PACKAGE.parent).with_suffix("").parts
                package = ".".join([*inside[: len(inside) - node.level], *filter(None, [node.module])])
            if package.split(".")[0] == "asdflow":
                names.add(package)
                names.update(
                    f"{package}.{alias.name}" for alias in node.names if _is_module(package, alias.name)
                )
    return frozenset(name for name in names if name != "asdflow")


@cache
def _is_module(package: str, name: str) -> bool:
    base = PACKAGE.joinpath(*package.split(".")[1:], name)
    return base.with_suffix(".py").is_file() or (base / "__init__.py").is_file()
