"""What every kind of data set answers, and the options that all of them share."""

from __future__ import annotations

import difflib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, TypeAdapter, ValidationError

from asdflow.audio import AudioOptions
from asdflow.audio.noise import NoiseOptions
from asdflow.clips.rows import ClipRow
from asdflow.foundation.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Dataset(ABC):
    """Base of every kind: a frozen dataclass whose fields are the options of the configuration entry.

    In every method `name` is the entry's name in the configuration and `base` the working directory that
    relative paths refer to.
    """

    simulated: ClassVar[bool] = False
    """True where the sound is computed: the report says so on every page that shows it."""

    @property
    def given(self) -> tuple[str, ...]:
        """Encoders whose vectors came with the data set; empty where the study's encoders hear its sound."""
        return ()

    @abstractmethod
    def machine_names(self, name: str, base: Path) -> list[str]:
        """Sorted machines. Cheap: it runs whenever the DAG is read, also before anything was downloaded."""

    @abstractmethod
    def source_files(self, name: str, base: Path, machine: str) -> list[str]:
        """Files of the user that the clips table of `machine` depends on, as Snakemake inputs.

        Empty for a kind whose files another rule makes: that rule's product is then the dependency. Files
        that are missing are left out, so that the clips table, not Snakemake, reports them with a remedy.
        """

    @abstractmethod
    def clips_table(self, name: str, base: Path, machine: str) -> pa.Table:
        """Table of schema "clips" of a machine. Raises DataError for data that cannot be used as they are."""


@dataclass(frozen=True, kw_only=True)
class Recordings(Dataset):
    """Base of every kind whose clips are sound. No method but `clips_table` decodes audio."""

    audio: Annotated[AudioOptions, Field(description="How a file becomes the waveform of a clip.")] = field(
        default_factory=AudioOptions
    )
    noise: Annotated[
        NoiseOptions | None,
        Field(description="Noise mixed into every clip. Default: none."),
    ] = None

    @property
    def default_channel(self) -> str | int:
        """What `audio.channel` is where the entry does not say it."""
        return "mix"

    @abstractmethod
    def root(self, name: str, base: Path) -> Path:
        """Folder that the paths of the clips are relative to, e.g. results/data/{name} or the user's own."""

    @abstractmethod
    def clip_rows(self, name: str, base: Path, machine: str) -> list[ClipRow]:
        """Planned clips of a machine, from names and tables alone.

        Raises DataError when a name or a table cannot be understood, naming the file and the remedy.
        """

    def clips_table(self, name: str, base: Path, machine: str) -> pa.Table:
        """Every clip of the machine, its file checked and its sound measured."""
        from asdflow.clips import measured

        rows = self.clip_rows(name, base, machine)
        return measured.table(machine, self.root(name, base), rows, mixes=self.default_channel == "mix")

    def loader(
        self, name: str, base: str | Path, longest_s: float | None = None
    ) -> Callable[[Mapping[str, Any], int], np.ndarray]:
        """Function `load(row, rate) -> (samples,) float32` with the audio and noise options of the data set.

        `longest_s` is the longest clip of the data set, seconds, for `length: tile_max`.
        """
        from asdflow.clips.waveforms import loader

        noise = None if self.noise is None else self.noise.at(base)
        return loader(self.root(name, Path(base)), self.audio, noise, longest_s)

    def noise_files(self, base: Path) -> list[str]:
        """Noise recordings that the frames depend on; empty unless noise is taken from files."""
        return [] if self.noise is None else self.noise.files(base)


def common_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of an entry, split: those of its kind as they are, and `audio` and `noise` built.

    They are built apart so that an error names the inner key. Raises ConfigError.
    """
    own = dict(options)
    common = {}
    for key, cls in (("audio", AudioOptions), ("noise", NoiseOptions)):
        if (spec := own.pop(key, None)) is not None:
            common[key] = spec if isinstance(spec, cls) else validated(cls, key, spec)
    return own, common


def validated(cls: type, where: str, spec: Mapping[str, Any]) -> Any:
    """Options object of class `cls` from a mapping. Raises ConfigError with the nearest valid key."""
    known = [field.name for field in fields(cls)]
    if not isinstance(spec, Mapping):
        raise ConfigError(where, f"must be options, got {spec!r}", f"Known options: {', '.join(known)}.")
    try:  # as JSON, where strict types still allow a mapping to become an object
        return _adapter(cls).validate_json(json.dumps(dict(spec), default=str))
    except ValidationError as error:
        errors = error.errors()
    first = errors[0]
    key = str(first["loc"][0]) if first["loc"] else ""
    place = f"{where}.{key}" if key else where
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise ConfigError(place, "is not known", f"{hint}Known: {', '.join(known)}.")
    if first["type"] == "missing":
        raise ConfigError(place, "is missing", f"Add {key} to {where}.")
    # A value of several possible types fails once for each of them.
    wanted = dict.fromkeys(each["msg"] for each in errors if each["loc"][:1] == first["loc"][:1])
    raise ConfigError(place, f"{', or: '.join(wanted)}, got {spec[key]!r}", "Correct the value.")


@cache
def _adapter(cls: type) -> TypeAdapter:
    return TypeAdapter(cls)
