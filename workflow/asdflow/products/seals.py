"""Seals: every byte of a product is checked before it is believed.

One flipped bit in a Parquet file is returned as another number more often than not, and the checksums that
Parquet has cover the pages alone, not what says where and what they are. A sealed file holds, between its row
groups and its footer, where readers of Parquet do not look, the SHA-256 of its footer and of every row group.
A reader compares the footer when it opens a file, and a row group when it reads it.

    PAR1 | row groups | {"footer": ..., "groups": [...]} | length of that | ASDFSEAL | footer | length | PAR1
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import pyarrow.parquet as pq

MAGIC, MARK = b"PAR1", b"ASDFSEAL"


class Broken(ValueError):
    """Bytes are not those that were written; the message says which."""


def seal(path: str | Path) -> None:
    """Seal a whole Parquet file that has no seal yet."""
    with open(path, "r+b") as file:
        footer, begin = _footer(file)
        spans = list(_spans(path, begin))
        words = json.dumps(
            {"footer": _sha256(footer), "groups": [_sha256(_bytes(file, *span)) for span in spans]}
        ).encode()
        file.seek(begin)
        file.truncate()
        file.write(words + len(words).to_bytes(4, "little") + MARK)
        file.write(footer + len(footer).to_bytes(4, "little") + MAGIC)


class Seal:
    """The seal of a file. Raises Broken unless there is one and the footer is the one that was written."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with open(path, "rb") as file:
            footer, begin = _footer(file)
            mark = _bytes(file, begin - len(MARK), begin)
            if mark != MARK:
                raise Broken("has no seal: it was cut, damaged, or written by something else")
            length = int.from_bytes(_bytes(file, begin - len(MARK) - 4, begin - len(MARK)), "little")
            end = begin - len(MARK) - 4
            try:
                words = json.loads(_bytes(file, max(end - length, 0), end))
                expected, self._groups = words["footer"], words["groups"]
            except (ValueError, KeyError, TypeError):
                raise Broken("has a damaged seal") from None
            if expected != _sha256(footer):
                raise Broken("has a damaged footer")
        self._end = end - length

    def check(self, group: int | None = None) -> None:
        """Raise Broken unless a row group, or every one, has the bytes that were written."""
        with open(self.path, "rb") as file:
            for number in range(len(self._groups)) if group is None else [group]:
                if _sha256(_bytes(file, *self._spans[number])) != self._groups[number]:
                    raise Broken(f"has other bytes in row group {number} than were written")

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        return list(_spans(self.path, self._end))


def _footer(file: BinaryIO) -> tuple[bytes, int]:
    """The footer, and where it begins."""
    size = file.seek(0, os.SEEK_END)
    tail = _bytes(file, max(size - 8, 0), size)
    begin = size - 8 - int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or begin < len(MAGIC):
        raise Broken("is cut short, or no Parquet file")
    return _bytes(file, begin, size - 8), begin


def _spans(path: str | Path, end: int) -> Iterator[tuple[int, int]]:
    """Where each row group begins and ends; the bytes before the first belong to it."""
    groups = pq.read_metadata(path)
    starts = []
    for number in range(groups.num_row_groups):
        columns = [groups.row_group(number).column(at) for at in range(groups.num_columns)]
        places = [(column.dictionary_page_offset, column.data_page_offset) for column in columns]
        starts.append(min(place for both in places for place in both if place))
    ends = [*starts[1:], end]
    for number, stop in enumerate(ends[: len(starts)]):
        yield (starts[number] if number else 0), stop


def _bytes(file: BinaryIO, begin: int, end: int) -> bytes:
    file.seek(max(begin, 0))
    return file.read(max(end - max(begin, 0), 0))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
