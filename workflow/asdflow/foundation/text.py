"""Text files of other people: known encodings are read, for others one line says what to do."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from asdflow.foundation.errors import DataError

LARGEST = 1 << 28
"""Bytes of a list or table that is read as a whole (268 MB: millions of lines)."""

_MARKS = (  # the longest first: a mark of UTF-32 begins with one of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(file: str | Path, remedy: str = "Restore it or its permissions.") -> str:
    """Content of a text file in UTF-8, or in UTF-16 or UTF-32 that begins with a byte order mark.

    Others (Windows-1252, Latin-1, Mac Roman) cannot be told apart, so a letter would be guessed: they are
    refused. Raises DataError naming the file, the line and what to save it as; `remedy` is for a file that
    cannot be read at all.
    """
    file = Path(file)
    try:
        if (size := file.stat().st_size) > LARGEST:
            raise DataError(file, f"has {size} bytes, at most {LARGEST} are read", "Split it.")
        if not file.is_file():
            raise DataError(file, "is not a file", "Name a text file.")
        data = file.read_bytes()
    except OSError as error:
        raise DataError(file, f"cannot be read ({error.strerror})", remedy) from None
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = "damaged" if encoding != "utf-8" else "not UTF-8"
        raise DataError(
            f"{file}, line {line}",
            f"is {found}: byte 0x{data[error.start]:02x} at place {error.start} means nothing there; "
            "spreadsheet programs write Windows-1252 or Mac Roman unless told otherwise",
            "Save the file anew as UTF-8 ('CSV UTF-8' in spreadsheet programs).",
        ) from None


def csv_rows(file: str | Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of CSV text, empty rows too. Raises DataError where it is not CSV."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        hint = " Save it as UTF-8." if "\0" in text else ""
        raise DataError(
            f"{file}, line {reader.line_num}", f"is not CSV ({error})", f"Check its quotes.{hint}"
        ) from None
