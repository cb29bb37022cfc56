"""The registry of DCASE data sets: typed entries of resources/datasets.yaml."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from asdflow.foundation.errors import ConfigError

REGISTRY_FILE = Path(__file__).resolve().parents[4] / "resources" / "datasets.yaml"
REGISTRY_VARIABLE = "ASDFLOW_DATASETS"
ZENODO_VARIABLE = "ASDFLOW_ZENODO"

Part = Literal["development", "additional_training", "evaluation"]
PARTS: tuple[Part, ...] = ("development", "additional_training", "evaluation")
SUBSETS: dict[str, tuple[Part, ...]] = {
    "development": ("development",),
    "evaluation": ("additional_training", "evaluation"),
}
"""What a user asks for, and the records that it consists of."""

SPLITS: dict[Part, tuple[str, ...]] = {
    "development": ("train", "test", "supplemental"),
    "additional_training": ("train", "supplemental"),
    "evaluation": ("test",),
}
"""Splits that a part holds."""

MD5 = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
SHA256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
Section = Annotated[str, Field(pattern="^[0-9]{2}$")]


class Entry(BaseModel):
    """Base of every entry: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Range(Entry):
    """A number known only roughly, both ends included."""

    min: Annotated[float, Field(ge=0)]
    max: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self


class Count(Entry):
    """How many clips of one kind a section has. A left-out domain or label means of any."""

    machine: str | None = None
    section: Section | None = None
    split: Literal["train", "test", "supplemental"]
    domain: Literal["source", "target"] | None = None
    label: Literal["normal", "anomaly"] | None = None
    clips: Annotated[int, Field(ge=0)] | Range

    @property
    def kind(self) -> tuple[str, str | None, str | None]:
        """(split, domain, label): counts of one kind stand for each other."""
        return self.split, self.domain, self.label

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest number, both allowed."""
        if isinstance(self.clips, Range):
            return int(self.clips.min), int(self.clips.max)
        return self.clips, self.clips

    def stands_for(self, machine: str, section: str) -> bool:
        """Whether it is about this section of this machine."""
        return self.machine in (None, machine) and self.section in (None, section)


class PartEntry(Entry):
    """One record: a zip for each machine."""

    record: Annotated[int, Field(ge=1)]
    file: str
    files: dict[str, FileName] = {}
    machines: dict[str, list[Section]]
    md5: dict[str, MD5] = {}
    size: dict[str, Annotated[int, Field(ge=1)]] = {}
    clips: list[Count]

    @model_validator(mode="after")
    def _consistent(self) -> PartEntry:
        if "{machine}" not in self.file:
            raise ValueError(f"file {self.file!r} must contain {{machine}}")
        named = {count.machine for count in self.clips} - {None}
        for what, names in (("files", self.files), ("md5", self.md5), ("size", self.size), ("clips", named)):
            unknown = sorted(set(names) - set(self.machines))
            if unknown:
                raise ValueError(f"{what} names machines {unknown} that `machines` does not")
        return self

    def counts(self, machine: str, section: str) -> list[Count]:
        """What the index must find there: for each kind the most specific count."""
        chosen: dict[tuple, Count] = {}
        for count in sorted(self.clips, key=lambda c: (c.machine is not None) + (c.section is not None)):
            if count.stands_for(machine, section):
                chosen[count.kind] = count
        return list(chosen.values())


class Audio(Entry):
    """What the files are like: Hz, channels, seconds."""

    sample_rate: Annotated[int, Field(ge=1)]
    channels: Annotated[int, Field(ge=1)]
    duration_s: Range

    @property
    def clip_bytes(self) -> int:
        """Largest 16-bit file, without its header."""
        return int(self.duration_s.max * self.sample_rate) * self.channels * 2


class Labels(Entry):
    """The organisers' list of evaluation labels."""

    file: FileName
    sha256: SHA256


class Year(Entry):
    """One challenge."""

    title: str
    page: str
    licence: str
    citation: list[str]
    audio: Audio
    labels: Labels | None
    development: PartEntry
    additional_training: PartEntry
    evaluation: PartEntry

    @model_validator(mode="after")
    def _same_machines(self) -> Year:
        if self.additional_training.machines != self.evaluation.machines:
            raise ValueError("additional_training and evaluation must have the same machines and sections")
        return self

    def part(self, part: Part) -> PartEntry:
        """The record of a part."""
        return getattr(self, part)

    def machines(self, subset: str) -> list[str]:
        """Sorted machines of a subset."""
        return sorted(self.part(SUBSETS[subset][0]).machines)


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
