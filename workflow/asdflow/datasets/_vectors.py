"""Parquet files of ready-made vectors: one row a clip, every column checked before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from asdflow.clips.rows import ClipRow
from asdflow.datasets._scan import require_machine
from asdflow.foundation.errors import DataError, did_you_mean, together
from asdflow.products.schemas import DOMAIN, LABEL, SPLIT

REQUIRED = ("clip", "machine", "section", "domain", "split", "label")
OPTIONAL = ("recording",)
VALUES = "values"
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


def files_of(places: str | Sequence[str], base: Path, where: object) -> list[Path]:
    """Parquet files behind an option: a file, a folder of them, or a list of either, as they are written.

    Raises DataError for a path that is neither, and for a folder without Parquet files.
    """
    found: list[Path] = []
    for place in [places] if isinstance(places, str) else places:
        shown = Path(place).expanduser()
        if (base / shown).is_dir():
            inside = sorted(path.name for path in (base / shown).glob("*.parquet"))
            if not inside:
                raise DataError(shown, "holds no .parquet files", f"Put them there, or correct {where}.")
            found += [shown / name for name in inside]
        elif (base / shown).is_file():
            found.append(shown)
        else:
            raise DataError(shown, "does not exist", f"Correct {where}, or put the file there.")
    return found


def machines_in(file: Path) -> frozenset[str]:
    """Machines of a file, from one column. Raises DataError for a file that breaks the schema."""
    state = file.stat()
    return _machines_in(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1024)
def _machines_in(file: Path, _changed: int, _size: int) -> frozenset[str]:
    with _opened(file) as parquet:
        _require_columns(file, parquet.schema_arrow)
        names = pc.unique(parquet.read(["machine"]).column(0)).to_pylist()
    if None in names:
        raise DataError(f"{file}, column 'machine'", "has empty cells", "Name the machine of every clip.")
    return frozenset(require_machine(name, file) for name in names)


def read(files: Sequence[Path], machine: str) -> Vectors:
    """Clips and vectors of a machine from all of its files.

    Raises DataError, listing what is wrong with the rows: empty or unknown words, clips without a vector,
    vectors of unequal length, values that are not finite.
    """
    tables = [_table(file, machine) for file in files if machine in machines_in(file)]
    table = pa.concat_tables(tables)
    where = f"{', '.join(map(str, files))} (machine {machine})"
    problems = _odd_words(table) + _odd_vectors(table)
    if problems:
        raise together(
            where, "cannot be used", problems, "Correct all of them; docs/embeddings.md lists the columns."
        )
    order = sorted(range(table.num_rows), key=lambda row: _key(table, row))
    taken = table.take(pa.array(order))
    return Vectors(tuple(_row(one) for one in taken.drop_columns([VALUES]).to_pylist()), _matrix(taken))


def _opened(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(file, f"is not a whole Parquet file ({error})", "Write it anew.") from None


def _require_columns(file: Path, schema: pa.Schema) -> None:
    known = (*REQUIRED, *OPTIONAL, VALUES)
    for name in schema.names:
        if name not in known:
            hint = did_you_mean(name.lower(), known) or "Leave it out. "
            raise DataError(f"{file}, column {name!r}", "is not known", f"{hint}Known: {', '.join(known)}.")
    for name in (*REQUIRED, VALUES):
        if name not in schema.names:
            empty = " It may be empty throughout." if name in ("domain", "label") else ""
            raise DataError(
                file, f"has no column {name!r}", f"Add it; the columns are {', '.join(known)}.{empty}"
            )
    for name in schema.names:
        found = schema.field(name).type
        inner = getattr(found, "value_type", found)
        right = _is_text(found) if name != VALUES else _is_list(found) and _is_number(inner)
        if not right:
            wanted = "a list of floats" if name == VALUES else "text"
            raise DataError(f"{file}, column {name!r}", f"is of type {found}", f"Write it as {wanted}.")


def _is_text(found: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    return pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_null(found)


def _is_list(found: pa.DataType) -> bool:
    return pa.types.is_list(found) or pa.types.is_large_list(found) or pa.types.is_fixed_size_list(found)


def _is_number(found: pa.DataType) -> bool:
    return pa.types.is_floating(found) or pa.types.is_integer(found)


def _table(file: Path, machine: str) -> pa.Table:
    """Rows of a machine, read group by group: a file may hold many machines."""
    parts = []
    with _opened(file) as parquet:
        for batch in parquet.iter_batches(batch_size=1024):
            part = pa.Table.from_batches([batch])
            parts.append(part.filter(pc.equal(part.column("machine").cast(pa.string()), machine)))
    table = pa.concat_tables(parts)
    columns = {
        name: table.column(name).cast(pa.string())
        if name in table.column_names
        else pa.nulls(table.num_rows, pa.string())
        for name in (*REQUIRED, *OPTIONAL)
    }
    return pa.table(columns | {VALUES: table.column(VALUES).cast(pa.large_list(pa.float64()))})


def _odd_words(table: pa.Table) -> list[str]:
    """Empty cells and unknown words, one problem a column."""
    problems = []
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
