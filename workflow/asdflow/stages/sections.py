"""A machine's table, one section at a time: the bank and the clips to be scored against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from asdflow.foundation.errors import DataError
from asdflow.products.tables import matrix


@dataclass(frozen=True)
class Section:
    """Rows of one section, split into bank (train clips, sorted by clip) and test clips.

    Attributes
    ----------
    train, test : (N,) and (M,) int
        Row numbers in the table.
    domain : (N,) int or None
        0 source, 1 target, of the bank; None where the data set has no domains.
    """

    machine: str
    name: str
    train: np.ndarray
    test: np.ndarray
    domain: np.ndarray | None


def sections(table: pa.Table) -> Iterator[Section]:
    """Sections of a table of embeddings or distances, in order of name.

    Supplemental clips belong to neither part. A table without the column `domain` has no domains.

    Raises DataError when a section has no train clips, no test clips, or domains on some train clips only.
    """
    names = np.array(table.column("section").to_pylist(), dtype=object)
    splits = np.array(table.column("split").to_pylist(), dtype=object)
    clips = np.array(table.column("clip").to_pylist(), dtype=object)
    has_domain = "domain" in table.column_names
    domains = np.array(
        table.column("domain").to_pylist() if has_domain else [None] * len(clips), dtype=object
    )
    machine = table.column("machine")[0].as_py() if table.num_rows else "?"
    for name in sorted(set(names)):
        train, test = (
            _sorted_rows((names == name) & (splits == split), clips) for split in ("train", "test")
        )
        where = f"machine {machine}, section {name}"
        for rows, split in ((train, "train"), (test, "test")):
            if not len(rows):
                raise DataError(
                    where,
                    f"has no {split} clips",
                    f"Give some clips the split {split!r} or drop the section.",
                )
        yield Section(machine, name, train, test, _domains(domains[train], where))


def embedding_parts(table: pa.Table, section: Section) -> tuple[np.ndarray, np.ndarray]:
    """Bank (N, D) and test (M, D) vectors of a section, float32."""
    values = matrix(table.column("values"))
    return values[section.train], values[section.test]


def _sorted_rows(mask: np.ndarray, clips: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(mask)
    return rows[np.argsort(clips[rows].astype(str), kind="stable")]


def _domains(names: np.ndarray, where: str) -> np.ndarray | None:
    known = {name for name in names if name is not None}
    if not known:
        return None
    if None in set(names):
        raise DataError(
            where,
            f"{sum(name is None for name in names)} of {len(names)} train clips have no domain",
            "Give every train clip the domain source or target, or none at all.",
        )
    return np.array([1 if name == "target" else 0 for name in names], dtype=np.int64)
