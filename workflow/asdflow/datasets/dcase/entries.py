"""Typed entries of the registry of DCASE data sets: years, their parts, and how many clips each holds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
