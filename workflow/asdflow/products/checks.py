"""Whether a table keeps what its schema promises; reads and writes no file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from asdflow.foundation.errors import ProductError
from asdflow.products.layout import rebuild
from asdflow.products.schemas import Column, Schema


def check(path: str | Path, schema: Schema, table: pa.Table, columns: list[str] | None = None) -> None:
    """Raise ProductError unless every column keeps its declaration (see `write`)."""
    wanted = [schema.column(name) for name in columns] if columns else list(schema.columns)
    missing = [column.name for column in wanted if column.name not in table.column_names]
    extra = sorted(set(table.column_names) - {column.name for column in wanted})
    if missing or extra:
        raise ProductError(path, f"lacks columns {missing} and has unknown columns {extra}", rebuild(path))
    for column in wanted:
        _check_column(path, column, table.column(column.name))
    if schema.either and set(schema.either) <= set(table.column_names):
        _check_either(path, schema.either, table)
    if set(schema.key) <= set(table.column_names) and table.num_rows > 1:
        _check_key(path, schema, table)


def _check_column(path, column: Column, values: pa.ChunkedArray) -> None:
    where = f"{path}, column {column.name!r}"
    declared, found = column.type, values.type
    if pa.types.is_list(declared) and pa.types.is_fixed_size_list(found):
        declared, found = declared.value_type, found.value_type
    if found != declared:
        raise ProductError(where, f"is of type {values.type}, expected {column.type}", rebuild(path))
    if values.null_count and not column.optional:
        raise ProductError(where, f"has {values.null_count} nulls", rebuild(path))
    if column.values:
        odd = sorted(set(pc.unique(values).to_pylist()) - {None, *column.values})
        if odd:
            raise ProductError(where, f"holds {odd[:3]}, allowed are {list(column.values)}", rebuild(path))
    flat = values
    while (
        pa.types.is_list(flat.type)
        or pa.types.is_large_list(flat.type)
        or pa.types.is_fixed_size_list(flat.type)
    ):
        flat = pc.list_flatten(flat)
    if pa.types.is_floating(flat.type) and column.finite and len(flat):
        finite = pc.is_finite(flat)
        if pc.any(pc.invert(finite)).as_py():  # null where every value is
            count = pc.sum(pc.invert(finite)).as_py()
            raise ProductError(where, f"has {count} values that are not finite", rebuild(path))
    if (column.low is not None or column.high is not None) and flat.null_count < len(flat):
        bounds = pc.min_max(flat).as_py()
        low = bounds["min"] if column.low is not None and bounds["min"] < column.low else None
        high = bounds["max"] if column.high is not None and bounds["max"] > column.high else None
        if low is not None or high is not None:
            value, limit = (low, f">= {column.low}") if low is not None else (high, f"<= {column.high}")
            raise ProductError(where, f"holds {value}, must be {limit}", rebuild(path))


def _check_either(path, names: tuple[str, str], table: pa.Table) -> None:
    one, two = (pc.is_null(table.column(name)) for name in names)
    odd = table.num_rows - (pc.sum(pc.xor(one, two)).as_py() or 0)
    if odd:
        both = " and ".join(map(repr, names))
        raise ProductError(path, f"has {odd} rows with both or none of {both}", rebuild(path))


def _check_key(path, schema: Schema, table: pa.Table) -> None:
    keys = table.select(list(schema.key))
    counts = keys.group_by(list(schema.key), use_threads=False).aggregate([([], "count_all")])
    repeated = counts.filter(pc.greater(counts.column("count_all"), 1))
    if repeated.num_rows:
        row = {name: repeated.column(name)[0].as_py() for name in schema.key}
        raise ProductError(path, f"has {row} more than once", "Give every clip its own name.")
