"""Ready-made vectors instead of sound: features from elsewhere, or an encoder that asdflow lacks.

datasets:
  mimii:
    kind: embeddings
    vectors: {egemaps: vectors/mimii_egemaps.parquet}
    standardise: bank

docs/embeddings.md has the columns of the files and what the rest of the study does with them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from asdflow.datasets import register
from asdflow.datasets.base import Dataset
from asdflow.foundation.errors import ConfigError, DataError
from asdflow.foundation.registry import NAME_PATTERN

if TYPE_CHECKING:
    import pyarrow as pa

    from asdflow.datasets._vectors import Given, GivenRow, Vectors

Encoder = Annotated[str, Field(pattern=NAME_PATTERN)]
Place = Annotated[str, Field(min_length=1)]
Places = Place | Annotated[tuple[Place, ...], Field(min_length=1)]
SAME = ("split", "domain", "label", "recording")


@register("embeddings")
@dataclass(frozen=True, kw_only=True)
class Embeddings(Dataset):
    """Vectors computed elsewhere, one a clip.

    They enter where embeddings do: no sound is read, no encoder runs, no pooling applies. In paths and tables
    their encoder is the name under `vectors`, their layer and pooling are `given`. Several encoders of one
    entry have the same clips.

    `standardise: bank` replaces every dimension x by (x - m) / d, with mean m and standard deviation d
    (divisor N) of the train clips of the clip's section; where d is 0, by x - m. The statistics hold all
    train clips, also while one of them is scored as if it were absent.
    """

    vectors: Annotated[
        dict[Encoder, Places],
        Field(
            min_length=1,
            description="Name of what made the vectors: Parquet file, folder of them, or list of either.",
        ),
    ]
    standardise: Annotated[
        Literal["none", "bank"],
        Field(
            description="none: vectors are used as they are; bank: every dimension gets mean 0 and standard "
            "deviation 1 on the train clips of a section, for features of mixed units."
        ),
    ] = "none"
    machines: Annotated[
        Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None,
        Field(description="Machines to take. Default: all."),
    ] = None
    max_values: Annotated[
        int,
        Field(
            ge=1,
            description="Most numbers that a file may unpack to, 8 bytes of memory each; a row counts as "
            "100. A small file can hold an enormous one.",
        ),
    ] = 200_000_000
    licence: Annotated[str | None, Field(description="Licence of the data, for the report.")] = None
    citation: Annotated[str | None, Field(description="What to cite, for the report.")] = None

    later: ClassVar[frozenset[str]] = Dataset.later | {"standardise"}

    @property
    def given(self) -> tuple[str, ...]:
        """Names of what made the vectors."""
        return tuple(self.vectors)

    def machine_names(self, name: str, base: Path) -> list[str]:
        """Machines of the files of the first encoder, or those of `machines`."""
        from asdflow.datasets._vectors import machines_in

        files = self._files(base, self.given[0])
        found = set().union(*(machines_in(base / file, self.max_values) for file in files))
        absent = sorted(set(self.machines or ()) - found)
        if absent:
            raise ConfigError(
                "machines", f"{absent[0]!r} is in none of the files", f"They hold {', '.join(sorted(found))}."
            )
        return sorted(self.machines or found)

    def source_files(self, name: str, base: Path, machine: str) -> list[str]:
        """Files of every encoder that hold the machine."""
        return [file for encoder in self.given for file in self.vector_files(base, encoder, machine)]

    def vector_files(self, base: Path, encoder: str, machine: str) -> list[str]:
        """Files of one encoder that hold the machine."""
        from asdflow.datasets._vectors import machines_in

        files = self._files(base, encoder)
        return [str(file) for file in files if machine in machines_in(base / file, self.max_values)]

    def clips_table(self, name: str, base: Path, machine: str) -> pa.Table:
        """What the files say of every clip, once the vectors of all encoders have been checked."""
        from asdflow.clips.checks import require_sound_plan, warn_about_domains, warn_about_recordings
        from asdflow.datasets._vectors import Given

        first = self._read(base, self.given[0], machine)
        require_sound_plan(f"data set {name}, machine {machine}", first.rows)
        for encoder in self.given[1:]:
            other = self._read(base, encoder, machine)
            _require_same(f"data set {name}, machine {machine}", self.given[0], first, encoder, other)
        clips = [Given(row) for row in first.rows]
        _warn_about_copies(clips, first.values)
        warn_about_recordings(clips)
        warn_about_domains(clips)
        return _table(machine, clips)

    def embeddings(self, name: str, base: Path, encoder: str, machine: str) -> dict[str, Any]:
        """Columns of schema "embeddings" of one encoder: the vectors, standardised where that was asked for.

        Raises DataError as `clips_table` does, and for vectors beyond the range of float32.
        """
        found = self._read(base, encoder, machine)
        values = found.values
        if self.standardise == "bank":
            values = _standardised(values, found.rows)
        with np.errstate(over="ignore"):
            single = values.astype(np.float32)
        if not np.isfinite(single).all():
            raise DataError(
                f"data set {name}, encoder {encoder}, machine {machine}",
                f"holds values up to {np.abs(values).max():.3g}, beyond the range of float32",
                "Scale them, or set standardise: bank.",
            )
        columns = {
            key: [getattr(row, key) for row in found.rows] for key in ("section", "clip", "split", "domain")
        }
        return {"machine": [machine] * len(found.rows)} | columns | {"values": single}

    def _files(self, base: Path, encoder: str) -> list[Path]:
        from asdflow.datasets._vectors import files_of

        return files_of(self.vectors[encoder], Path(base), f"vectors.{encoder}")

    def _read(self, base: Path, encoder: str, machine: str) -> Vectors:
        from asdflow.datasets._vectors import read

        files = self.vector_files(base, encoder, machine)
        if not files:
            raise DataError(
                f"vectors.{encoder}",
                f"has no clips of machine {machine!r}, which {self.given[0]} has",
                "Add them, or leave the machine out with `machines`.",
            )
        return read([Path(base) / file for file in files], machine, self.max_values)


def _standardised(values: np.ndarray, rows: Sequence[GivenRow]) -> np.ndarray:
    """(clips, D) float64 with mean 0 and deviation 1 on the train clips of each section."""
    result = np.empty_like(values)
    sections = np.array([row.section for row in rows], dtype=object)
    train = np.array([row.split == "train" for row in rows])
    for section in set(sections):
        here = sections == section
        bank = values[here & train]
        mean, deviation = bank.mean(axis=0), bank.std(axis=0)
        # The mean of equal numbers is a rounding error away from them, and so is their deviation from 0.
        constant = (bank == bank[0]).all(axis=0)
        mean[constant], deviation[constant] = bank[0, constant], 1.0
        result[here] = (values[here] - mean) / deviation
    return result


def _require_same(where: str, one: str, first: Vectors, two: str, second: Vectors) -> None:
    """Raise DataError unless two encoders describe the same clips in the same words."""
    left, right = ({(row.section, row.clip): row for row in each.rows} for each in (first, second))
    apart = sorted(left.keys() ^ right.keys())
    if apart:
        section, clip = apart[0]
        there, absent = (one, two) if apart[0] in left else (two, one)
        raise DataError(
            where,
            f"{len(apart)} clips have vectors by one encoder only, first {clip!r} of section {section}: "
            f"{there} has it, {absent} has not",
            "Give every encoder of an entry the same clips.",
        )
    for key, row in left.items():
        for name in SAME:
            if getattr(row, name) != getattr(right[key], name):
                raise DataError(
                    f"{where}, clip {row.clip!r}",
                    f"has {name} {getattr(row, name)} in {one} and {getattr(right[key], name)} in {two}",
                    "Correct one of them.",
                )


def _warn_about_copies(clips: Sequence[Given], values: np.ndarray) -> None:
    """The same vector twice: in a bank a copy has distance 0, across splits it gives the answer away."""
    alike: dict[bytes, list[Given]] = defaultdict(list)
    for clip, vector in zip(clips, values, strict=True):
        alike[vector.tobytes()].append(clip)
    for group in alike.values():
        for clip in group if len(group) > 1 else ():
            others = sorted(
                (other for other in group if other is not clip),
                key=lambda other: (other.row.split == clip.row.split, other.row.clip),
            )
            crossing = {clip.row.split, others[0].row.split} == {"train", "test"}
            leak = " (training and test share it)" if crossing else ""
            clip.warnings.append(f"same vector as {others[0].row.clip}{leak}")


def _table(machine: str, clips: Sequence[Given]) -> pa.Table:
    import pyarrow as pa

    from asdflow.products.schemas import CLIPS

    known: Mapping[str, list] = {
        "machine": [machine] * len(clips),
        "attributes": [[]] * len(clips),
        "warnings": [clip.warnings for clip in clips],
    } | {
        name: [getattr(clip.row, name) for clip in clips]
        for name in ("section", "clip", "domain", "split", "label", "recording")
    }
    schema = CLIPS.arrow()
    silent = [None] * len(clips)  # nothing was recorded that could be measured
    arrays = [pa.array(known.get(column.name, silent), type=column.type) for column in schema]
    return pa.Table.from_arrays(arrays, schema=schema)
