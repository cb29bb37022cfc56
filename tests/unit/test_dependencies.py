"""What the project declares is what it imports, and the lock pins all that this pulls in."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]

# Declared and not imported by the library, and why.
NOT_IMPORTED = {
    "snakemake": "runs the rules and the scripts; the library works without it",
}


def plain(name: str) -> str:
    """Name of a distribution as indexes compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    """Distributions that users of the library install, the optional ones included."""
    lines = [*PROJECT["dependencies"], *EXTRAS["faiss"], *EXTRAS["huggingface"]]
    return {plain(Requirement(line).name) for line in lines}


def imported() -> dict[str, str]:
    """Distribution of every import from outside, also those inside functions -> a file that has it."""
    found = {}
    distributions = packages_distributions()
    for file in sorted((ROOT / "workflow").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for module in names:
                top = module.partition(".")[0]
                if top in sys.stdlib_module_names or top == "asdflow":
                    continue
                (owner,) = {plain(one) for one in distributions.get(top, [top])}
                found.setdefault(owner, str(file.relative_to(ROOT)))
    return found


def test_every_import_is_declared():
    assert {name: file for name, file in imported().items() if name not in declared()} == {}


def test_every_declaration_is_imported_or_says_why_not():
    assert declared() - set(imported()) == set(NOT_IMPORTED)


def locked() -> dict[str, str]:
    lines = (ROOT / "envs/lock.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {plain(name): version for name, version in pins}


def test_every_declaration_is_pinned_to_one_version_and_the_lock_has_the_same():
    lines = [*PROJECT["dependencies"], *(line for part in EXTRAS.values() for line in part)]
    for line in lines:
        wanted = Requirement(line)
        if wanted.name == "asdflow":
            continue
        (pin,) = wanted.specifier
        assert pin.operator == "==", line
        assert locked()[plain(wanted.name)] == pin.version, line


@cache
def needs(name: str, extras: frozenset[str]) -> list[Requirement]:
    """Requirements of an installed distribution that hold here."""
    found = [Requirement(line) for line in requires(name) or []]
    environments = [{"extra": extra} for extra in ("", *extras)]
    return [one for one in found if one.marker is None or any(map(one.marker.evaluate, environments))]


@pytest.mark.skipif(sys.platform != "linux", reason="the lock is that of an installation on Linux")
def test_the_lock_is_the_closure_of_the_declarations():
    lines = [*PROJECT["dependencies"], *(line for part in EXTRAS.values() for line in part)]
    pending = [wanted for line in lines if (wanted := Requirement(line)).name != "asdflow"]
    closure: set[tuple[str, frozenset[str]]] = set()
    while pending:
        one = pending.pop()
        key = (plain(one.name), frozenset(one.extras))
        if key not in closure:
            closure.add(key)
            try:
                pending.extend(needs(*key))
            except PackageNotFoundError:
                pytest.skip(f"{one.name} is not installed")
    assert {name for name, _ in closure} - {"setuptools", "pip"} == set(locked()) - {"setuptools", "pip"}


@pytest.mark.parametrize("name", ["hashes.txt", "hashes-test.txt"])
def test_what_is_installed_by_hash_is_what_the_lock_pins(name):
    text = (ROOT / "envs" / name).read_text(encoding="utf-8")
    entries = re.findall(
        r"^([\w.-]+)==([^ ;\\]+)([^\\\n]*) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.M
    )
    assert len(entries) == len(re.findall(r"^[\w.-]+==", text, re.M)) > 90
    elsewhere = {
        plain(package) for package, _, marker, _ in entries if re.search("win32|emscripten'$", marker)
    }
    for package, version, _, _ in entries:
        if plain(package) not in locked():
            assert plain(package) in elsewhere | {"httpx2-jsfetch"}, package  # not of this platform
        else:
            assert locked()[plain(package)] == version, package


def test_the_hashes_with_the_test_suite_cover_the_lock():
    text = (ROOT / "envs/hashes-test.txt").read_text(encoding="utf-8")
    assert set(locked()) <= {plain(name) for name in re.findall(r"^([\w.-]+)==", text, re.M)}
