"""The test clips that a measure is computed on: their labels, checked once at the door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asdflow.foundation.errors import DataError

_ANOMALY = {"normal": 0, "anomaly": 1, "0": 0, "1": 1}
_DOMAIN = {"source": 0, "target": 1, "0": 0, "1": 1}
_UNKNOWN, _ODD = -1, -2


@dataclass(frozen=True)
class Section:
    """One (machine, section): the rows that belong to it."""

    machine: str
    section: str
    rows: np.ndarray

    def __str__(self) -> str:
        return f"machine {self.machine!r}, section {self.section!r}"


@dataclass(frozen=True)
class Labels:
    """Labels of M test clips.

    Attributes
    ----------
    anomaly, target : (M,) bool
    machine, section : (M,) str
    sections : tuple of Section
        Sorted by machine, then section; each has a normal and an anomalous clip.
    """

    anomaly: np.ndarray
    target: np.ndarray
    machine: np.ndarray
    section: np.ndarray
    sections: tuple[Section, ...]

    def __len__(self) -> int:
        return len(self.anomaly)

    def scope(self, rows: np.ndarray, scope: str) -> np.ndarray:
        """(rows,) bool: which of the rows are in the domain that a term asks for."""
        if scope == "all":
            return np.ones(len(rows), dtype=bool)
        return self.target[rows] == (scope == "target")


def labels(anomaly, domain, machine, section=None) -> Labels:
    """Check and convert the labels of M test clips.

    Parameters
    ----------
    anomaly : (M,) 0/1, bool, or "normal"/"anomaly"
    domain : (M,) 0/1 or "source"/"target", or None
        1 is target. A section whose clips all lack a domain (null), or all sections when None, has no
        domains: its clips count as source, so its measures have no target term.
    machine : (M,) str, or one str for all
    section : (M,) str, optional
        "00" where left out.

    Raises
    ------
    DataError
        No clips; lengths differ; a label is unknown or is none of the words above; a section lacks normal or
        anomalous clips, or knows the domain of only some of its clips.
    """
    anomaly = _codes("anomaly", anomaly, _ANOMALY)
    count = len(anomaly)
    if count == 0:
        raise DataError("anomaly", "is empty", "Hand in one label a test clip.")
    machine = _words("machine", machine, count)
    section = _words("section", "00" if section is None else section, count)
    domain = np.full(count, _UNKNOWN) if domain is None else _codes("domain", domain, _DOMAIN)
    same_length("domain", domain, count)

    unknown = anomaly == _UNKNOWN
    if unknown.any():
        where = sorted({str(name) for name in machine[unknown]})
        raise DataError(
            "anomaly",
            f"is unknown for {unknown.sum()} of {count} test clips (machines {', '.join(where[:5])})",
            "Add their labels to the clips table, or leave these clips out of the evaluation.",
        )
    sections = tuple(_sections(machine, section))
    target = np.zeros(count, dtype=bool)
    for part in sections:
        _check(part, anomaly[part.rows])
        target[part.rows] = _targets(part, domain[part.rows])
    return Labels(anomaly.astype(bool), target, machine, section, sections)


def scores(name: str, values, known: Labels) -> np.ndarray:
    """(M,) float64 scores of one system. Raises DataError when they are not M finite numbers."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(name, f"has a score that is not a number ({error})", "Hand in floats.") from None
    same_length(name, array, len(known))
    bad = ~np.isfinite(array)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            name,
            f"has {bad.sum()} scores that are not finite; the first is {array[row]} in row {row} "
            f"(machine {known.machine[row]!r}, section {known.section[row]!r})",
            "A ranking needs a finite number for every clip: look at the clip and the detector that gave it.",
        )
    return array


def same_length(name: str, array: np.ndarray, count: int) -> None:
    """Raise DataError unless the array has shape (count,)."""
    if array.shape != (count,):
        raise DataError(
            name, f"has shape {array.shape}, expected ({count},)", "Hand in one value a test clip."
        )


def words(name: str, values, count: int) -> np.ndarray:
    """(count,) str array; one word stands for all rows. Raises DataError for nulls and other lengths."""
    return _words(name, values, count)


def _words(name: str, values, count: int) -> np.ndarray:
    if isinstance(values, str):
        return np.full(count, values)
    listed: Sequence = np.asarray(values, dtype=object).tolist()
    if any(value is None or value != value for value in listed):
        raise DataError(name, "has nulls", "Name it for every test clip.")
    array = np.array([str(value) for value in listed], dtype=str)
    same_length(name, array, count)
    return array


def _codes(name: str, values, meaning: dict[str, int]) -> np.ndarray:
    """(M,) int: 0, 1, or -1 for a null."""
    listed = np.asarray(values, dtype=object)
    if listed.ndim != 1:
        raise DataError(
            name, f"has shape {listed.shape}, expected one dimension", "Hand in one value a clip."
        )
    codes = np.array([_code(value, meaning) for value in listed.tolist()], dtype=np.int64)
    if (codes == _ODD).any():
        row = int(np.flatnonzero(codes == _ODD)[0])
        raise DataError(
            name, f"is {listed[row]!r} in row {row}", f"Use 0 or 1, or {' or '.join(list(meaning)[:2])}."
        )
    return codes


def _code(value, meaning: dict[str, int]) -> int:
    if value is None or value != value:
        return _UNKNOWN
    if isinstance(value, str):
        return meaning.get(value, _ODD)
    return int(value) if value in (0, 1) else _ODD


def _sections(machine: np.ndarray, section: np.ndarray):
    for name in np.unique(machine):
        of_machine = machine == name
        for part in np.unique(section[of_machine]):
            yield Section(str(name), str(part), np.flatnonzero(of_machine & (section == part)))


def _check(section: Section, anomaly: np.ndarray) -> None:
    for code, word in ((0, "normal"), (1, "anomalous")):
        if not (anomaly == code).any():
            raise DataError(
                section,
                f"has no {word} test clip among {len(anomaly)}",
                "An AUC compares normal with anomalous clips: add some, or leave the section out.",
            )


def _targets(section: Section, domain: np.ndarray) -> np.ndarray:
    unknown = domain == _UNKNOWN
    if unknown.any() and not unknown.all():
        raise DataError(
            section,
            f"has {unknown.sum()} test clips without a domain and {(~unknown).sum()} with one",
            "Name the domain of all of them, or of none.",
        )
    return domain == 1
