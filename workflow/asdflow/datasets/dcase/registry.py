"""The registry of DCASE data sets: resources/datasets.yaml, and the archives that it tells of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from asdflow.datasets.dcase.entries import SUBSETS, Audio, Entry, Part, PartEntry, Year
from asdflow.foundation.errors import ConfigError

REGISTRY_FILE = Path(__file__).resolve().parents[4] / "resources" / "datasets.yaml"
REGISTRY_VARIABLE = "ASDFLOW_DATASETS"
ZENODO_VARIABLE = "ASDFLOW_ZENODO"


@dataclass(frozen=True)
class Limits:
    """What an honest archive stays below: bytes in total, bytes of one member, number of members."""

    total_bytes: int
    member_bytes: int
    members: int


@dataclass(frozen=True)
class Archive:
    """One zip: a machine's clips of one part.

    Parameters
    ----------
    year : int
    part : str
        "development", "additional_training" or "evaluation".
    machine : str
    record : int
        Number of the record that holds it.
    name : str
        File name in the record.
    size : int or None
        Bytes, where the registry knows them.
    md5 : str or None
        Hexadecimal digits, where the registry knows them.
    urls : tuple of str
        Sources in order.
    limits : Limits
        For unpacking.
    """

    year: int
    part: Part
    machine: str
    record: int
    name: str
    size: int | None
    md5: str | None
    urls: tuple[str, ...]
    limits: Limits


class Registry(Entry):
    """All years. `file` is where it was read from; pinned checksums lie beside it, in `locks`."""

    file: Path
    zenodo: str
    urls: Annotated[list[str], Field(min_length=1)]
    label_urls: Annotated[list[str], Field(min_length=1)]
    years: dict[Annotated[int, Field(ge=2020, le=2026)], Year]

    @property
    def locks(self) -> Path:
        """Folder of the pinned checksums."""
        return self.file.parent / "locks"

    @property
    def base_url(self) -> str:
        """Address of the service that holds the records; ASDFLOW_ZENODO overrides the registry."""
        return (os.environ.get(ZENODO_VARIABLE) or self.zenodo).rstrip("/")

    def year(self, year: int) -> Year:
        """Entry of a year. Raises ConfigError for an unknown one."""
        if year not in self.years:
            known = ", ".join(map(str, sorted(self.years)))
            raise ConfigError(f"year {year!r}", f"is not in {self.file}", f"Known: {known}.")
        return self.years[year]

    def archive(self, year: int, part: Part, machine: str) -> Archive:
        """The zip of a machine. Raises ConfigError when that part of the year has no such machine."""
        facts, entry = self.year(year), self.year(year).part(part)
        if machine not in entry.machines:
            known = ", ".join(sorted(entry.machines))
            raise ConfigError(f"machine {machine!r}", f"is not in {part} of {year}", f"Known: {known}.")
        name = entry.files.get(machine, entry.file.format(machine=machine))
        fill = dict(zenodo=self.base_url, record=entry.record, name=name)
        return Archive(
            year=year,
            part=part,
            machine=machine,
            record=entry.record,
            name=name,
            size=entry.size.get(machine),
            md5=entry.md5.get(machine),
            urls=tuple(url.format(**fill) for url in self.urls),
            limits=_limits(facts.audio, entry, machine),
        )

    def archives(self, year: int, subset: str, machine: str) -> Iterator[Archive]:
        """The zips that a machine of a subset consists of."""
        for part in SUBSETS[subset]:
            yield self.archive(year, part, machine)

    def labels_urls(self, year: int) -> tuple[str, ...]:
        """Sources of a year's list of evaluation labels."""
        labels = self.year(year).labels
        return tuple(url.format(name=labels.file) for url in self.label_urls) if labels else ()


def load(file: str | Path | None = None) -> Registry:
    """The registry; default from the environment variable ASDFLOW_DATASETS, then resources/datasets.yaml.

    Raises ConfigError naming the key that breaks the schema.
    """
    return _load(Path(file or os.environ.get(REGISTRY_VARIABLE) or REGISTRY_FILE).resolve())


@cache
def _load(file: Path) -> Registry:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            file, f"cannot be read ({error.strerror})", f"Restore it, or set {REGISTRY_VARIABLE} to a copy."
        ) from None
    except YAMLError as error:
        raise ConfigError(file, f"is not YAML ({error})", "Correct it.") from None
    try:
        return Registry.model_validate({**(content or {}), "file": file})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{file}, key {key}", f"{first['msg']}, got {first['input']!r:.120}", "Correct the entry."
        ) from None


def _limits(audio: Audio, entry: PartEntry, machine: str) -> Limits:
    """Twice what the registry expects, with room for tables and licence texts."""
    expected = sum(
        count.limits[1] for section in entry.machines[machine] for count in entry.counts(machine, section)
    )
    members = 2 * expected + 100
    return Limits(
        total_bytes=members * audio.clip_bytes, member_bytes=4 * audio.clip_bytes + (1 << 20), members=members
    )
