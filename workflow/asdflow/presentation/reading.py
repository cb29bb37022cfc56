"""Products as tables of polars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asdflow.foundation.errors import DataError
from asdflow.products import tables

if TYPE_CHECKING:
    import polars as pl


def joined(paths: Sequence[Path], kind: str) -> pl.DataFrame:
    """Products of one kind, one below the other. Raises DataError when there are none."""
    import polars as pl
    import pyarrow as pa

    if not paths:
        raise DataError(kind, "there are no files of this kind", "Give the data set at least one machine.")
    return pl.from_arrow(pa.concat_tables([_plain(tables.read(path, kind)) for path in paths]))


def _plain(table):
    """A table without the column of maps, which polars does not have: attributes become a list of pairs."""
    import pyarrow as pa

    fields = []
    for field in table.schema:
        if pa.types.is_map(field.type):
            item = pa.struct([("key", field.type.key_type), ("value", field.type.item_type)])
            field = pa.field(field.name, pa.list_(item))
        fields.append(pa.field(field.name, field.type))
    return table.cast(pa.schema(fields))
