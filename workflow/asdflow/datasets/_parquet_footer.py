"""How much a Parquet file would unpack to, from its footer alone.

pyarrow has the same numbers, but where a footer is damaged it may end the whole process when they are asked
for (it does not raise), and unpacking first may take any amount of memory: encoded, a million equal numbers
need some bytes. The footer is a Thrift structure in the compact protocol.

Source: parquet-format, parquet.thrift (FileMetaData 3 num_rows, 4 row_groups; RowGroup 1 columns; ColumnChunk
3 meta_data; ColumnMetaData 3 path_in_schema, 5 num_values, 6 total_uncompressed_size); Thrift.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEEPEST = 20
"""Structures inside structures; a footer has about eight."""


@dataclass(frozen=True)
class Extent:
    """Rows, numbers in the wanted column, and bytes of all columns as they are before decompression."""

    rows: int
    values: int
    size: int


def extent(file: Path, column: str) -> Extent:
    """What `file` announces. Raises ValueError for a footer that cannot be read."""
    with open(file, "rb") as opened:
        end = opened.seek(0, os.SEEK_END)
        opened.seek(max(0, end - 8))
        tail = opened.read()
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or length > end - 8:
            raise ValueError("its footer is missing")
        opened.seek(end - 8 - length)
        footer = _Compact(opened.read(length)).structure()
    values = size = 0
    for group in footer.get(4, []):
        for chunk in group.get(1, []):
            facts = chunk.get(3, {})
            size += max(0, facts.get(6, 0))
            if facts.get(3, [b""])[0] == column.encode():
                values += max(0, facts.get(5, 0))
    return Extent(footer.get(3, 0), values, size)


class _Compact:
    """Values of Thrift's compact protocol: structures as dicts by field number."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place, self.depth = data, 0, 0

    def structure(self) -> dict[int, Any]:
        """The next structure."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError("its footer is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != 0:
            number = number + (head >> 4) if head >> 4 else self._signed()
            fields[number] = head & 15 == 1 if head & 15 in (1, 2) else self._value(head & 15)
        self.depth -= 1
        return fields

    def _value(self, kind: int) -> Any:
        if kind in (1, 2, 3):  # in lists a truth value is a byte
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            return self._bytes(8)
        if kind == 8:
            return self._bytes(self._unsigned())
        if kind in (9, 10):
            head = self._byte()
            size = self._unsigned() if head >> 4 == 15 else head >> 4
            return self._items(size, head & 15)
        if kind == 11:
            size = self._unsigned()
            kinds = self._byte() if size else 0
            return [(self._value(kinds >> 4), self._value(kinds & 15)) for _ in self._counted(size)]
        if kind == 12:
            return self.structure()
        raise ValueError(f"its footer has a field of unknown type {kind}")

    def _items(self, size: int, kind: int) -> list[Any]:
        return [self._value(kind) for _ in self._counted(size)]

    def _counted(self, size: int) -> range:
        if size > len(self.data) - self.place:  # an item takes a byte at least
            raise ValueError("its footer is cut short")
        return range(size)

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        self.place += count
        if self.place > len(self.data):
            raise ValueError("its footer is cut short")
        return self.data[self.place - count : self.place]

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift > 63:
                return value

    def _signed(self) -> int:
        value = self._unsigned()
        return value >> 1 ^ -(value & 1)
