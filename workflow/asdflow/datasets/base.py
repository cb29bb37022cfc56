"""What every kind of data set answers, and the options that all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from asdflow.audio import AudioOptions
from asdflow.audio.noise import NoiseOptions
from asdflow.clips.rows import ClipRow

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
    measure: ClassVar[str] = "official"
    """Official score by which it is judged beside the one that all data sets share."""
    needs_longest: ClassVar[bool] = False
    """Whether the length of every clip depends on the longest one of the data set."""
    licence: ClassVar[str | None] = None
    citation: ClassVar[str | None] = None
    later: ClassVar[frozenset[str]] = frozenset({"licence", "citation"})
    """Options that do not decide the clips table."""

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

        Files that are missing are left out, so that the clips table, not Snakemake, reports them with a
        remedy.
        """

    def made_files(self, name: str, machine: str) -> list[str]:
        """Products of rules that the clips table of `machine` depends on; none where the user brings all."""
        return []

    def vector_files(self, base: Path, encoder: str, machine: str) -> list[str]:
        """Files of the vectors of one encoder of `given`; none where the data set is sound."""
        return []

    def noise_files(self, base: Path) -> list[str]:
        """Noise recordings that the frames depend on; empty unless noise is taken from files."""
        return []

    @abstractmethod
    def clips_table(self, name: str, base: Path, machine: str) -> pa.Table:
        """Table of schema "clips" of a machine. Raises DataError for data that cannot be used as they are."""


@dataclass(frozen=True, kw_only=True)
class Recordings(Dataset):
    """Base of every kind whose clips are sound. No method but `clips_table` decodes audio."""

    later: ClassVar[frozenset[str]] = Dataset.later | {"audio", "noise"}

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

    @property
    def needs_longest(self) -> bool:
        """Whether clips are filled up to the longest one."""
        return self.audio.needs_longest

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
