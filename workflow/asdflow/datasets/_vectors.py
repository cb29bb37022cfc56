"""The rows of ready-made vectors: one a clip, every column checked before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from asdflow.clips.rows import ClipRow
from asdflow.datasets._vector_files import (
    BATCH,
    MOST,
    OPTIONAL,
    REQUIRED,
    VALUES,
    as_text,
    files_of,
    machines_in,
    opened,
)
from asdflow.foundation.errors import together
from asdflow.foundation.names import odd_section, odd_text, shown
from asdflow.products.schemas import DOMAIN, LABEL, SPLIT

__all__ = ["Given", "GivenRow", "Vectors", "files_of", "machines_in", "read"]

WORDS = {"domain": DOMAIN, "split": SPLIT, "label": LABEL}
FILLED = ("clip", "section", "split")  # columns without nulls; machine is checked when files are opened


class GivenRow(ClipRow):
    """A clip that is known by name alone."""

    @property
    def clip(self) -> str:
        """The name as it was given."""
        return self.path


@dataclass
class Given:
    """One clip and what is odd about it."""

    row: GivenRow
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Vectors:
    """Clips of a machine in order of (section, clip), and their vectors by one encoder.

    Attributes
    ----------
    values : (clips, dimensions) float64
    """

    rows: tuple[GivenRow, ...]
    values: np.ndarray


def read(files: Sequence[Path], machine: str, most: int = MOST) -> Vectors:
    """Clips and vectors of a machine from all of its files.

    Raises DataError, listing what is wrong with the rows: empty or unknown words, names that cannot be used,
    clips without a vector, vectors of unequal length, values that are not finite; and as `machines_in`.
    """
    tables = [_table(file, machine, most) for file in files if machine in machines_in(file, most)]
    where = f"{', '.join(map(str, files))} (machine {machine})"
    table = pa.concat_tables(tables)
    problems = _odd_words(table) + _odd_vectors(table)
    if problems:
        raise together(
            where, "cannot be used", problems, "Correct all of them; docs/embeddings.md lists the columns."
        )
    order = sorted(range(table.num_rows), key=lambda row: _key(table, row))
    taken = table.take(pa.array(order))
    return Vectors(tuple(_row(one) for one in taken.drop_columns([VALUES]).to_pylist()), _matrix(taken))


def _table(file: Path, machine: str, most: int) -> pa.Table:
    """Rows of a machine, read batch by batch: a file may hold many machines."""
    parts = []
    with opened(file, most) as parquet:
        for batch in parquet.iter_batches(batch_size=BATCH):
            part = pa.Table.from_batches([batch])
            parts.append(part.filter(pc.equal(as_text(file, "machine", part.column("machine")), machine)))
        table = pa.concat_tables(parts)
        table.validate(full=True)
        columns = {
            name: as_text(file, name, table.column(name))
            if name in table.column_names
            else pa.nulls(table.num_rows, pa.string())
            for name in (*REQUIRED, *OPTIONAL)
        }
        return pa.table(columns | {VALUES: table.column(VALUES).cast(pa.large_list(pa.float64()))})


def _odd_words(table: pa.Table) -> list[str]:
    """Empty cells and unknown words, one problem a column."""
    problems = _odd_names(table)
    for name in REQUIRED:
        column, allowed = table.column(name), WORDS.get(name)
        if name in FILLED and column.null_count:
            problems.append(f"column {name!r}: {column.null_count} of {len(column)} cells are empty")
        odd = sorted(set(pc.unique(column).to_pylist()) - {None, *allowed}) if allowed else []
        if odd:
            clip = table.column("clip").filter(pc.equal(column, odd[0]))[0].as_py()
            words = ", ".join(allowed)
            problems.append(f"column {name!r}: holds {odd[0]!r}, first in clip {clip!r}; allowed are {words}")
    return problems


def _odd_names(table: pa.Table) -> list[str]:
    """Clips, sections and recordings that the one rule of names refuses, one problem a column."""
    problems = []
    for name, rule in (("clip", odd_text), ("section", odd_section), ("recording", odd_text)):
        words = [word for word in pc.unique(table.column(name)).to_pylist() if word is not None]
        if name == "recording":
            words = [word for word in words if word]  # the clip itself
        odd = [(word, said) for word in words if (said := rule(word))]
        if odd:
            problems.append(f"column {name!r}: {len(odd)} names, first {shown(odd[0][0])}, which {odd[0][1]}")
    return problems


def _odd_vectors(table: pa.Table) -> list[str]:
    """Vectors that are absent, of unequal length, or not finite, one problem a kind."""
    clips, values = table.column("clip").to_pylist(), table.column(VALUES).combine_chunks()
    lengths = pc.list_value_length(values).to_pylist()
    absent = [clip for clip, length in zip(clips, lengths, strict=True) if not length]
    if absent:
        return [f"{len(absent)} clips have no vector, first {absent[0]!r}"]
    usual = max(sorted(set(lengths)), key=lengths.count)
    other = [(clip, length) for clip, length in zip(clips, lengths, strict=True) if length != usual]
    if other:
        return [
            f"{len(other)} vectors are not of length {usual}, first that of {other[0][0]!r}: {other[0][1]}"
        ]
    flat = values.flatten()
    finite = pc.fill_null(pc.is_finite(flat), False).to_numpy(zero_copy_only=False)
    odd = np.flatnonzero(~finite.reshape(len(clips), usual).all(axis=1))
    if len(odd):
        return [f"{len(odd)} vectors hold NaN, infinity or nothing, first that of {clips[odd[0]]!r}"]
    return []


def _matrix(table: pa.Table) -> np.ndarray:
    flat = table.column(VALUES).combine_chunks().flatten()
    return flat.to_numpy(zero_copy_only=False).reshape(table.num_rows, -1)


def _key(table: pa.Table, row: int) -> tuple[str, str]:
    return table.column("section")[row].as_py(), table.column("clip")[row].as_py()


def _row(cells: dict[str, str | None]) -> GivenRow:
    return GivenRow(
        cells["clip"],
        section=cells["section"],
        split=cells["split"],
        domain=cells["domain"],
        label=cells["label"] or ("normal" if cells["split"] == "train" else None),
        recording=cells["recording"] or cells["clip"],
    )
