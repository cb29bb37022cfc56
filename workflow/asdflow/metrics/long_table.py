"""Rows of the long table of metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from asdflow.foundation.errors import DataError


def select(
    table: pa.Table | Mapping[str, Sequence], metric: str, total: bool, kinds: Sequence[str] | None = None
) -> list[dict]:
    """Rows of one metric: those over all machines (`total`) or those of sections; of some kinds of system."""
    columns = table.to_pydict() if isinstance(table, pa.Table) else dict(table)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    found = [
        row
        for row in rows
        if row["metric"] == metric
        and (row["machine"] == "all") == total
        and (kinds is None or row["kind"] in kinds)
    ]
    if not found:
        have = ", ".join(sorted({row["metric"] for row in rows})) or "none"
        raise DataError("table", f"has no row of metric {metric!r}", f"Its metrics: {have}.")
    return found
