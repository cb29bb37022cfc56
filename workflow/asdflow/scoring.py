"""Embeddings to scores, one detector over every section of a machine; the distances that detectors share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from asdflow import tables
from asdflow.build import detector as build_detector
from asdflow.distances import pairwise
from asdflow.errors import AsdflowError, DataError
from asdflow.sections import Section, embedding_parts, sections


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
    clips: pa.Table, embeddings: pa.Table, detector: Mapping[str, Any], distances: Mapping[str, pa.Table]
) -> dict[str, Any]:
    """Columns of schema "scores": test scores, and leave-one-out self-scores of the bank.

    Parameters
    ----------
    clips, embeddings : tables of these schemas, of one machine
    detector : mapping
        Specification of the detector.
    distances : mapping of metric to table of schema "distances"
        Those that the detector shares with others (`Detector.metrics`).

    Raises
    ------
    AsdflowError
        As the detector does, with machine and section in front.
    """
    rows, scores = [], []
    for section in sections(embeddings):
        bank, test = embedding_parts(embeddings, section)
        shared = {metric: _distance_parts(table, section) for metric, table in distances.items()}
        try:
            fitted = build_detector(detector).fit(
                bank, section.domain, distances={metric: parts[0] for metric, parts in shared.items()}
            )
            of_bank = fitted.self_scores()
            of_test = fitted.score_samples(
                test, distances={metric: parts[1] for metric, parts in shared.items()}
            )
        except AsdflowError as error:
            where = f"machine {section.machine}, section {section.name}: {error.where}"
            raise type(error)(where, error.what, error.remedy) from None
        rows += [section.train, section.test]
        scores += [of_bank, of_test]
    order = np.concatenate(rows)
    score = np.concatenate(scores)
    if not np.isfinite(score).all():
        raise DataError(
            f"detector {detector}",
            f"gives {int((~np.isfinite(score)).sum())} scores that are not finite",
            "Report the data that cause it; every detector must give finite scores.",
        )
    return _with_labels(clips, embeddings.take(pa.array(order))) | {"score": score}


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


def _distance_parts(table: pa.Table, section: Section) -> tuple[np.ndarray, np.ndarray]:
    """(N, N) and (M, N) distances of a section: its rows of the table, train clips first."""
    same = next(part for part in sections(table) if part.name == section.name)
    values = table.column("values")
    return (
        tables.matrix(values.take(pa.array(same.train))),
        tables.matrix(values.take(pa.array(same.test))),
    )
