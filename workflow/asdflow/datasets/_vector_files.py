"""Parquet files of vectors: found, opened, and measured before anything in them is unpacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from asdflow.datasets._parquet_footer import extent
from asdflow.datasets._scan import require_machine
from asdflow.foundation.errors import DataError, did_you_mean
from asdflow.foundation.names import LONGEST_TEXT, hidden, require_path

REQUIRED = ("clip", "machine", "section", "domain", "split", "label")
OPTIONAL = ("recording",)
VALUES = "values"

MOST = 200_000_000
"""Numbers of a file that are read unless the entry allows more: 1.6 GB."""

ROW = 100
"""What a row counts as beside its numbers: its words take about as much."""

BATCH = 1024
"""Rows read at a time."""

_NOT_WHOLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError, MemoryError)
_SUFFIXES = (".parquet", ".pq", ".parq")
_OTHER = (
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".npy",
    ".npz",
    ".h5",
    ".hdf5",
    ".feather",
    ".arrow",
    ".pt",
    ".pkl",
)


def files_of(places: str | Sequence[str], base: Path, where: object) -> list[Path]:
    """Parquet files behind an option: a file, a folder of them, or a list of either, as they are written.

    Raises DataError for a path that is neither, and for a folder without Parquet files or with tables of
    another kind, or in folders below it, which would be left out.
    """
    found: list[Path] = []
    for place in [places] if isinstance(places, str) else places:
        require_path(place, str(where))
        shown = Path(place).expanduser()
        if (base / shown).is_dir():
            found += [shown / name for name in _inside(base / shown, shown, where)]
            for file in found:
                require_path(file, str(where))
        elif (base / shown).is_file():
            found.append(shown)
        elif (base / shown).exists():
            raise DataError(shown, "is a pipe or device, not a file", f"Correct {where}.")
        else:
            raise DataError(shown, "does not exist", f"Correct {where}, or put the file there.")
    return found


def _inside(folder: Path, shown: Path, where: object) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if not hidden(path.name))
    files = [name for name in names if name.lower().endswith(_SUFFIXES)]
    left = [name for name in names if name.lower().endswith(_OTHER)]
    below = [name for name in names if (folder / name).is_dir()]
    left += [f"{name}/{path.name}" for name in below for path in sorted((folder / name).glob("*.parquet"))]
    if left:
        raise DataError(
            shown,
            f"has {len(left)} files that would be left out, first {left[0]}",
            f"Write them as Parquet into that folder, move them away, or name the files in {where}.",
        )
    if not files:
        raise DataError(shown, "holds no .parquet files", f"Put them there, or correct {where}.")
    return files


def machines_in(file: Path, most: int = MOST) -> frozenset[str]:
    """Machines of a file, from one column.

    Raises DataError for a file that is no whole Parquet file, breaks the schema, has no rows, or more than
    `most` numbers (a row counts as `ROW` of them).
    """
    state = file.stat()
    return _machines_in(file, most, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1024)
def _machines_in(file: Path, most: int, _changed: int, _size: int) -> frozenset[str]:
    with opened(file, most) as parquet:
        column = parquet.read(["machine"]).column(0)
        names = pc.unique(as_text(file, "machine", column)).to_pylist()
    if None in names:
        raise DataError(f"{file}, column 'machine'", "has empty cells", "Name the machine of every clip.")
    return frozenset(require_machine(name, file) for name in names)


@contextmanager
def opened(file: Path, most: int) -> Iterator[pq.ParquetFile]:
    """The file, its schema and size checked. What pyarrow says while it is read becomes a DataError."""
    try:
        with pq.ParquetFile(file) as parquet:
            _require_columns(file, parquet.schema_arrow)
            _require_rows(file, most)
            words = [name for name in parquet.schema_arrow.names if name != VALUES]
            words = [name for name in words if not pa.types.is_null(parquet.schema_arrow.field(name).type)]
        # As dictionaries, or a long word would be repeated in memory for every row.
        with pq.ParquetFile(file, read_dictionary=words) as parquet:
            yield parquet
    except _NOT_WHOLE as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            file, f"is not a whole Parquet file ({said})", "Write it anew, or copy it again."
        ) from None


def as_text(file: Path, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """A column of text in any of Arrow's layouts as plain text. Raises DataError for very long words."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    for chunk in chunks:
        words = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
        words.validate(full=True)  # or bytes that are no UTF-8 would come to light anywhere
        longest = 0 if pa.types.is_null(words.type) else pc.max(pc.binary_length(words)).as_py() or 0
        if longest > 4 * LONGEST_TEXT:
            raise DataError(
                f"{file}, column {name!r}",
                f"has a word of {longest} bytes, at most {LONGEST_TEXT} letters are allowed",
                "Shorten it.",
            )
    return column.cast(pa.string())


def _require_rows(file: Path, most: int) -> None:
    found = extent(file, VALUES)
    if found.rows < 1:
        raise DataError(file, "holds no clips: it has no rows", "Write it anew, or leave it out.")
    needed = max(found.values + ROW * found.rows, found.size // 8)
    if needed > most:
        raise DataError(
            file,
            f"would unpack to {found.rows} rows, {found.values} numbers: {needed}, above max_values, {most}",
            f"Split it, or raise max_values; a number takes 8 bytes, a row as much as {ROW} of them.",
        )


def _require_columns(file: Path, schema: pa.Schema) -> None:
    known = (*REQUIRED, *OPTIONAL, VALUES)
    for name in schema.names:
        if name not in known:
            hint = did_you_mean(name.lower(), known) or "Leave it out. "
            raise DataError(f"{file}, column {name!r}", "is not known", f"{hint}Known: {', '.join(known)}.")
        if schema.names.count(name) > 1:
            raise DataError(f"{file}, column {name!r}", "is there twice", "Leave one of them out.")
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
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    return any(kind(found) for kind in kinds)


def _is_list(found: pa.DataType) -> bool:
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(kind(found) for kind in kinds)


def _is_number(found: pa.DataType) -> bool:
    return pa.types.is_floating(found) or pa.types.is_integer(found)
