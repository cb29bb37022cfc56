"""Reading and writing products: whole files, checked against their schema both ways, same bytes always."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from asdflow.foundation.errors import ProductError, out_of_memory
from asdflow.foundation.files import whole_file
from asdflow.products import seals
from asdflow.products.checks import check
from asdflow.products.layout import place, rebuild
from asdflow.products.schemas import SCHEMAS, Schema

# Fixed so that equal rows give equal bytes; zstd 3 halves float frames at hardly any cost.
WRITER = dict(
    compression="zstd", compression_level=3, use_dictionary=True, write_statistics=True, version="2.6"
)
CLIP = ("machine", "section", "clip", "split")


def write(
    path: str | Path, kind: str, table: pa.Table | Mapping[str, Any], made_by: Mapping[str, Any]
) -> None:
    """Write a product.

    Parameters
    ----------
    path : path
        Final name. It exists afterwards with all rows, or is untouched.
    kind : str
        Name of the schema.
    table : pyarrow.Table or mapping of columns
        Columns of the schema, any order. A (N, D) float array is accepted for a vector column. Rows are
        sorted by the schema's key here.
    made_by : mapping
        Every parameter that decided the content; stored as JSON in the file's metadata.

    Raises
    ------
    ProductError
        A column is missing, unknown, of a wrong type, null, not finite or outside its values; a key repeats;
        the disk is full.
    """
    schema = SCHEMAS[kind]
    table = _conform(path, schema, table)
    arrow = table.schema  # sorting drops the units
    if table.num_rows > 1:
        table = table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in schema.key]))
    check(path, schema, table)
    with writer(path, kind, made_by, arrow) as write_table:
        write_table(table)


@contextmanager
def writer(
    path: str | Path, kind: str, made_by: Mapping[str, Any], arrow: pa.Schema | None = None
) -> Iterator:
    """Stream a product in row groups: yields a function that writes one checked pyarrow.Table as one group.

    The caller delivers the groups sorted by the schema's key. `path` appears when the block ends.
    """
    schema = SCHEMAS[kind]
    about = {"kind": kind, "made_by": made_by, "place": place(path)}
    arrow = (arrow or schema.arrow()).with_metadata({"asdflow": json.dumps(about, sort_keys=True)})
    last: tuple | None = None

    def write_group(table: pa.Table | Mapping[str, Any]) -> None:
        nonlocal last
        table = _conform(path, schema, table)
        check(path, schema, table)
        if table.num_rows:
            first, end = _row_key(schema, table, 0), _row_key(schema, table, table.num_rows - 1)
            if last is not None and first <= last:
                raise ProductError(
                    path, f"row group begins at {first}, not after {last}", "Sort the rows by key."
                )
            last = end
        file.write_table(table.cast(arrow), row_group_size=max(1, table.num_rows))

    with whole_file(path) as partial:
        with pq.ParquetWriter(partial, arrow, **WRITER) as file:
            yield write_group
        seals.seal(partial)


def read(
    path: str | Path, kind: str, columns: list[str] | None = None, made_by: Mapping | None = None
) -> pa.Table:
    """Read a product and check it against its schema; with `columns` only those are read and checked.

    Raises ProductError when the file is missing, damaged, of another kind or place, breaks its schema, or,
    where `made_by` is given, was made from other parameters.
    """
    schema = SCHEMAS[kind]
    with open_product(path, kind, made_by) as (file, seal):
        with whole(path):
            seal.check()
        table = file.read(columns=columns)
    check(path, schema, table, columns)
    return table


def read_systems(files: Sequence[str | Path], names: Iterable[str]) -> dict[str, pa.Table]:
    """One table of schema "scores" for each system, in the order of `names`, from the tables that hold them.

    A file may hold others as well; several files may hold a system, e.g. one a machine. Raises ProductError
    as `read` does, and when a system is in none of the files.
    """
    table = pa.concat_tables([read(file, "scores") for file in files])
    found = {}
    for name in names:
        found[name] = table.filter(pc.equal(table.column("detector"), name))
        if not found[name].num_rows:
            what = f"hold no scores of {name!r}"
            raise ProductError(
                ", ".join(map(str, files)), what, "Rebuild them: snakemake -R scores_of_backend."
            )
    return found


def require_same_clips(one: tuple[str | Path, pa.Table], other: tuple[str | Path, pa.Table]) -> None:
    """Raise ProductError unless two products, given with their paths, are of the same clips.

    Of train and test clips alone where one of them leaves the others out.
    """
    (path, table), (_, second) = one, other
    found, wanted = (
        {
            row
            for row in zip(*(part.column(name).to_pylist() for name in CLIP), strict=True)
            if row[-1] in ("train", "test")
        }
        for part in (table, second)
    )
    odd = sorted(found ^ wanted, key=str)
    if odd:
        machine, section, clip, split = odd[0]
        has = "has" if odd[0] in found else "lacks"
        raise ProductError(
            path,
            f"is not of the clips of {other[0]}: it {has} {split} clip {clip!r} of machine {machine}, "
            f"section {section}, and differs in {len(odd)} in all",
            rebuild(path),
        )


def read_distances(path: str | Path, inherited: Mapping[str, Any]) -> tuple[str, pa.Table]:
    """Metric and table of a product "distances", made of embeddings that inherit this (see `inherited`)."""
    with open_product(path, "distances") as (file, _):
        metric = provenance(file)["made_by"]["metric"]
    return metric, read(path, "distances", made_by={"metric": metric} | inherited)


@contextmanager
def open_product(
    path: str | Path, kind: str | None = None, made_by: Mapping | None = None
) -> Iterator[tuple[pq.ParquetFile, seals.Seal]]:
    """Open a product for streaming; its rows are to be believed once the seal of their group was checked.

    Raises ProductError as `read` does; without `kind` it may be any.
    """
    with whole(path):
        seal = seals.Seal(path)
        file = pq.ParquetFile(path)
    with file:
        found = provenance(file)
        if kind is not None and found.get("kind") != kind:
            raise ProductError(path, f"holds {found.get('kind')!r}, expected {kind!r}", rebuild(path))
        if found["place"] and place(path) and found["place"] != place(path):
            raise ProductError(path, f"is the file of {found['place']} under another name", rebuild(path))
        if made_by is not None and found["made_by"] != json.loads(json.dumps(made_by)):
            raise ProductError(
                path, f"was made from {found['made_by']}, expected {dict(made_by)}", rebuild(path)
            )
        yield file, seal


def verify(path: str | Path) -> None:
    """Raise ProductError unless a product has the bytes that were written, under the name they were given."""
    with open_product(path) as (_, seal), whole(path):
        seal.check()


@contextmanager
def whole(path: str | Path) -> Iterator[None]:
    """Raise ProductError for a file that is missing or does not have the bytes that were written."""
    try:
        yield
    except FileNotFoundError:
        raise ProductError(path, "does not exist", "Run snakemake to build it.") from None
    except (seals.Broken, pa.ArrowInvalid, OSError) as error:
        if out_of_memory(error):
            raise
        raise ProductError(path, f"is damaged: it {error}", rebuild(path)) from None


def provenance(file: pq.ParquetFile | str | Path) -> dict[str, Any]:
    """`{"kind": ..., "made_by": {...}, "place": ...}` of a product."""
    metadata = (
        file.schema_arrow if isinstance(file, pq.ParquetFile) else pq.read_schema(file)
    ).metadata or {}
    return json.loads(metadata.get(b"asdflow", b"{}"))


def inherited(*files: str | Path) -> dict[str, Any]:
    """What `made_by` takes over from the products that a new one is made of.

    `{"unverified": [weights, ...]}` where an encoder's entry accepted weights that nobody vouches for, else
    nothing: so each product of such a study says so.
    """
    weights: set[str] = set()
    for path in files:
        with open_product(path) as (file, _):
            weights.update(provenance(file)["made_by"].get("unverified", []))
    return {"unverified": sorted(weights)} if weights else {}


def matrix(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Vector column as an (N, D) array. Raises ProductError when the vectors differ in length."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if len(column) == 0:
        return np.empty((0, 0), dtype=column.type.value_type.to_pandas_dtype())
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) != 1:
        raise ProductError("vector column", f"has vectors of lengths {sorted(lengths)}", "Build them anew.")
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), lengths[0])


def vectors(values: np.ndarray, type_: pa.DataType) -> pa.Array:
    """(N, D) array as an Arrow vector column of the declared type (fixed width where it is a plain list)."""
    values = np.ascontiguousarray(values, dtype=type_.value_type.to_pandas_dtype())
    flat = pa.array(values.reshape(-1))
    if pa.types.is_large_list(type_):
        offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int64)
        return pa.LargeListArray.from_arrays(pa.array(offsets), flat)
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _conform(path, schema: Schema, table: pa.Table | Mapping[str, Any]) -> pa.Table:
    """Columns in the declared order and types; 2-D arrays become vector columns."""
    columns = (
        {name: table.column(name) for name in table.column_names} if isinstance(table, pa.Table) else table
    )
    missing = [column.name for column in schema.columns if column.name not in columns]
    extra = sorted(set(columns) - {column.name for column in schema.columns})
    if missing or extra:
        raise ProductError(
            path, f"lacks columns {missing} and has unknown columns {extra}", "Correct the caller."
        )
    arrays, fields = [], []
    for column in schema.columns:
        values, field = columns[column.name], column.field()
        try:
            if isinstance(values, np.ndarray) and values.ndim == 2:
                values = vectors(values, column.type)
            elif not isinstance(values, pa.Array | pa.ChunkedArray):
                values = pa.array(values, type=column.type)
            if pa.types.is_fixed_size_list(values.type):
                field = field.with_type(pa.list_(column.type.value_type, values.type.list_size))
            arrays.append(values.cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise ProductError(path, f"column {column.name!r}: {error}", "Correct the caller.") from None
        fields.append(field)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _row_key(schema: Schema, table: pa.Table, row: int) -> tuple:
    return tuple(table.column(name)[row].as_py() for name in schema.key)
