"""Simulated machines in the folders and names of DCASE Task 2: for demonstration and tests.

datasets:
  factory: {kind: factory, duration_s: 4, train_source: 90, train_target: 10, test_per_cell: 20}

Simulated sound proves nothing about machines. docs/factory.md says what is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from asdflow.clips.rows import ClipRow
from asdflow.datasets import register
from asdflow.datasets.base import Recordings
from asdflow.datasets.factory import _clips, _writing
from asdflow.datasets.factory._physics import RATE
from asdflow.datasets.factory._synthesis import operating, waveform
from asdflow.foundation.errors import ConfigError
from asdflow.products import layout

Machine = Literal["bearing", "fan", "gearbox", "slider", "valve"]
Severity = Annotated[float, Field(ge=0, le=1.5)]


@register("factory")
@dataclass(frozen=True, kw_only=True)
class Factory(Recordings):
    """Machines computed from their physics, with faults of graded severity and a second domain.

    Clips, file names, attributes and folders are those of DCASE 2023 and later: one section, source and
    target domain, 16 kHz, 16 bit, mono. The default sizes are DCASE's own. A clip depends on `seed`, its
    machine, cell and number, and on `duration_s`, `snr_db` and `severity`; not on the sizes, the order or the
    number of cores.
    """

    simulated: ClassVar[bool] = True

    machines: Annotated[
        tuple[Machine, ...], Field(strict=False, min_length=1, description="Machines to simulate.")
    ] = ("bearing", "fan", "gearbox", "slider", "valve")
    duration_s: Annotated[float, Field(ge=1, le=60, description="Length of every clip, seconds.")] = 10.0
    train_source: Annotated[
        int, Field(ge=2, le=10_000, description="Normal training clips of the source domain, each machine.")
    ] = 990
    train_target: Annotated[
        int, Field(ge=0, le=10_000, description="Normal training clips of the target domain, each machine.")
    ] = 10
    test_per_cell: Annotated[
        int,
        Field(
            ge=1, le=10_000, description="Test clips of each of source/target x normal/anomaly, each machine."
        ),
    ] = 50
    snr_db: Annotated[
        float,
        Field(
            ge=-30, le=60, description="Power of the healthy machine over the background in every clip, dB."
        ),
    ] = 3.0
    severity: Annotated[
        tuple[Severity, Severity],
        Field(strict=False, description="Range of the faults' severity; 0 is none, 1 a marked fault."),
    ] = (0.3, 1.0)
    seed: Annotated[int, Field(ge=0, description="Another seed is another factory of the same make.")] = 0

    def __post_init__(self) -> None:
        twice = sorted({machine for machine in self.machines if self.machines.count(machine) > 1})
        if twice:
            raise ConfigError("machines", f"names {twice[0]!r} twice", "Name each machine once.")
        low, high = self.severity
        if low > high:
            raise ConfigError("severity", f"[{low:g}, {high:g}] falls", "Write it as [lowest, highest].")

    def machine_names(self, name: str, base: Path) -> list[str]:
        """Sorted machines."""
        return sorted(self.machines)

    def root(self, name: str, base: Path) -> Path:
        """Folder where the simulated machines are written."""
        return Path(base, layout.path("recordings", dataset=name, machine="any")).parent

    def source_files(self, name: str, base: Path, machine: str) -> list[str]:
        """None: the sounds are computed."""
        return []

    def made_files(self, name: str, machine: str) -> list[str]:
        """The folder of the machine."""
        return [layout.path("recordings", dataset=name, machine=machine)]

    def clip_rows(self, name: str, base: Path, machine: str) -> list[ClipRow]:
        """Clips of a machine, known before they are computed."""
        return [
            ClipRow(path, split=clip.split, domain=clip.domain, label=clip.label, attributes=told)
            for clip, path, told in self._clips(machine)
        ]

    @property
    def samples(self) -> int:
        """Samples of every clip."""
        return round(self.duration_s * RATE)

    def _clips(self, machine: str) -> Iterator[tuple[_clips.Clip, str, dict[str, str]]]:
        """Identity, path below the root and attributes of every clip of a machine; ConfigError for others."""
        if machine not in self.machines:
            raise ConfigError(
                f"dataset of kind 'factory', machine {machine!r}",
                "is not simulated",
                f"Its machines are {', '.join(self.machines)}.",
            )
        for clip in _clips.clips(machine, self.train_source, self.train_target, self.test_per_cell):
            told = _writing.attributes(clip, operating(clip, self.seed))
            yield clip, _writing.path(clip, told), told


def generate(
    dataset: Factory,
    machine: str,
    out: Path,
    progress: Callable[[Iterable], Iterable] | None = None,
) -> None:
    """Write the wav files and attributes of one machine.

    Parameters
    ----------
    dataset : Factory
    machine : str
    out : path
        Folder of the machine, its last part called like it. It is complete afterwards, or untouched; one that
        is there already is replaced.
    progress : callable, optional
        Wraps the iteration over clips, e.g. `tqdm.tqdm`.

    Raises
    ------
    ConfigError
        The data set has no such machine.
    ProductError
        The disk is full.
    """
    out = Path(out)
    plan = list(dataset._clips(machine))
    with _writing.whole_folder(out) as folder:
        for clip, path, _ in progress(plan) if progress else plan:
            file = folder / Path(path).relative_to(machine)
            file.parent.mkdir(exist_ok=True)
            severity = _clips.severity(*dataset.severity, clip, dataset.seed)
            _writing.write_wav(file, waveform(clip, dataset.seed, dataset.samples, dataset.snr_db, severity))
        _writing.write_attributes(folder / _writing.ATTRIBUTES, {path: told for _, path, told in plan})
