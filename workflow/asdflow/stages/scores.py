"""Embeddings to scores, detectors over every section of a machine; the distances that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from asdflow.foundation.errors import AsdflowError, DataError
from asdflow.geometry.distances import pairwise
from asdflow.pipeline.build import detector as build_detector
from asdflow.pipeline.detector import Fits
from asdflow.products import tables
from asdflow.references.bank import Bank, Queries
from asdflow.stages.sections import Section, embedding_parts, sections


def distance_columns(embeddings: pa.Table, metric: str) -> dict[str, Any]:
    """Columns of schema "distances": from every train and test clip to the bank of its section.

    The bank's order is that of its clips, sorted.
    """
    parts = []
    for section in sections(embeddings):
        bank, test = embedding_parts(embeddings, section)
        rows = np.concatenate([section.train, section.test])
        values = np.concatenate([pairwise(bank, None, metric), pairwise(test, bank, metric)])
        parts.append((rows, tables.vectors(values, pa.large_list(pa.float64()))))
    rows = np.concatenate([rows for rows, _ in parts])
    taken = embeddings.select(["machine", "section", "clip", "split"]).take(pa.array(rows))
    return {name: taken.column(name) for name in taken.column_names} | {
        "values": pa.chunked_array([values for _, values in parts])
    }


def score_columns(
    clips: pa.Table,
    embeddings: pa.Table,
    detectors: Mapping[str, Mapping[str, Any]],
    distances: Mapping[str, pa.Table],
) -> dict[str, dict[str, Any]]:
    """Columns of schema "scores" of every detector: test scores, and leave-one-out self-scores of the bank.

    Parameters
    ----------
    clips, embeddings : tables of these schemas, of one machine
    detectors : mapping of name to specification
        They share one bank a section: what several need is computed once.
    distances : mapping of metric to table of schema "distances"
        Those that the detectors share with others (`Detector.metrics`).

    Raises
    ------
    AsdflowError
        As the detector does, with machine, section and the detector's name in front.
    """
    rows: list[np.ndarray] = []
    scores: dict[str, list[np.ndarray]] = {name: [] for name in detectors}
    for section in sections(embeddings):
        rows += [section.train, section.test]
        for name, parts in _of_section(clips, embeddings, section, detectors, distances).items():
            scores[name] += parts
    described = _with_labels(clips, embeddings.take(pa.array(np.concatenate(rows))))
    return {name: described | {"score": _finite(name, parts)} for name, parts in scores.items()}


def _of_section(
    clips: pa.Table,
    embeddings: pa.Table,
    section: Section,
    detectors: Mapping[str, Mapping[str, Any]],
    distances: Mapping[str, pa.Table],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Self-scores of the bank and scores of the test clips, by detector."""
    bank, queries = _shared(clips, embeddings, section, distances)
    fits, scores = Fits(bank), {}
    for name, spec in detectors.items():
        try:
            fitted = build_detector(spec).fit(fits)
            scores[name] = fitted.self_scores(), fitted.score_samples(queries)
        except AsdflowError as error:
            where = f"machine {section.machine}, section {section.name}, {name}: {error.where}"
            raise type(error)(where, error.what, error.remedy) from None
    return scores


def read_systems(files: Sequence[str], systems: Sequence[str]) -> dict[str, pa.Table]:
    """One table of schema "scores" for each system, from its files.

    Parameters
    ----------
    files : paths
        Products of schema "scores".
    systems : names
        Of each file; a name may stand for several files, e.g. one a machine.
    """
    found: dict[str, list[pa.Table]] = {}
    for file, system in zip(files, systems, strict=True):
        found.setdefault(system, []).append(tables.read(file, "scores"))
    return {system: pa.concat_tables(parts) for system, parts in found.items()}


def _with_labels(clips: pa.Table, rows: pa.Table) -> dict[str, Any]:
    """Columns of the score schema but the score, for embedding rows in that order."""
    names = clips.column("clip").to_pylist()
    place = {name: number for number, name in enumerate(names)}
    matched = clips.take(pa.array([place[name] for name in rows.column("clip").to_pylist()]))
    wanted = ("machine", "section", "clip", "split", "domain", "label", "recording")
    return {name: matched.column(name) for name in wanted}


def _shared(
    clips: pa.Table, embeddings: pa.Table, section: Section, distances: Mapping[str, pa.Table]
) -> tuple[Bank, Queries]:
    """Bank and test clips of a section, with the distances that are known."""
    train = _with_labels(clips, embeddings.take(pa.array(section.train)))
    of_bank, of_test = embedding_parts(embeddings, section)
    parts = {metric: _distance_parts(table, section) for metric, table in distances.items()}
    recording = np.array(train["recording"].to_pylist())
    bank = Bank(of_bank, section.domain, {metric: known[0] for metric, known in parts.items()}, recording)
    return bank, Queries(of_test, bank, {metric: known[1] for metric, known in parts.items()})


def _finite(name: str, parts: Sequence[np.ndarray]) -> np.ndarray:
    """Scores of all sections. Raises DataError unless they are finite."""
    score = np.concatenate(parts)
    if not np.isfinite(score).all():
        raise DataError(
            f"detector {name}",
            f"gives {int((~np.isfinite(score)).sum())} scores that are not finite",
            "Report the data that cause it; every detector must give finite scores.",
        )
    return score


def _distance_parts(table: pa.Table, section: Section) -> tuple[np.ndarray, np.ndarray]:
    """(N, N) and (M, N) distances of a section: its rows of the table, train clips first."""
    same = next(part for part in sections(table) if part.name == section.name)
    values = table.column("values")
    return (
        tables.matrix(values.take(pa.array(same.train))),
        tables.matrix(values.take(pa.array(same.test))),
    )
