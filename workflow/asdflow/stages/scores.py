"""Embeddings to scores: detectors over every section of a machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from asdflow.foundation.errors import AsdflowError, DataError
from asdflow.pipeline.build import detector as build_detector
from asdflow.pipeline.detector import Fits
from asdflow.products import tables
from asdflow.references.bank import Bank, Queries
from asdflow.stages.sections import Section, embedding_parts, sections


def score_columns(
    clips: pa.Table,
    embeddings: pa.Table,
    detectors: Mapping[str, Mapping[str, Any]],
    distances: Mapping[str, pa.Table],
) -> dict[str, Any]:
    """Columns of schema "scores": test scores, and leave-one-out self-scores of the bank, of every detector.

    A detector that cannot work with the data of a section has no scores there, and `refused` says why; the
    others are not concerned.

    Parameters
    ----------
    clips, embeddings : tables of these schemas, of one machine
    detectors : mapping of name to specification
        They share one bank a section: what several need is computed once.
    distances : mapping of metric to table of schema "distances"
        Those that the detectors share with others (`Detector.metrics`).

    Raises
    ------
    DataError
        A section has no train or no test clips, or domains on some train clips only.
    """
    found: list[Section] = []
    scores: dict[str, list[np.ndarray | str]] = {name: [] for name in detectors}
    for section in sections(embeddings):
        found.append(section)
        for name, score in _of_section(clips, embeddings, section, detectors, distances).items():
            scores[name].append(score)
    rows = [np.concatenate([section.train, section.test]) for section in found]
    described = _with_labels(clips, embeddings.take(pa.array(np.concatenate(rows))))
    return {key: pa.concat_arrays(column.chunks * len(detectors)) for key, column in described.items()} | {
        "detector": [name for name in detectors for each in rows for _ in each],
        "score": pa.concat_arrays(
            pa.nulls(len(each), pa.float64()) if isinstance(score, str) else pa.array(score)
            for name in detectors
            for each, score in zip(rows, scores[name], strict=True)
        ),
        "refused": [
            score if isinstance(score, str) else None
            for name in detectors
            for each, score in zip(rows, scores[name], strict=True)
            for _ in each
        ],
    }


def _of_section(
    clips: pa.Table,
    embeddings: pa.Table,
    section: Section,
    detectors: Mapping[str, Mapping[str, Any]],
    distances: Mapping[str, pa.Table],
) -> dict[str, np.ndarray | str]:
    """(N + M,) self-scores of the bank and scores of the test clips, by detector; or why there are none."""
    bank, queries = _shared(clips, embeddings, section, distances)
    fits = Fits(bank)
    scores: dict[str, np.ndarray | str] = {}
    for name, spec in detectors.items():
        detector = build_detector(spec)
        try:
            fitted = detector.fit(fits)
            scores[name] = _finite(fitted.self_scores(), fitted.score_samples(queries))
        except AsdflowError as error:
            scores[name] = " ".join(str(error).removeprefix(f"{detector}: ").split())  # one line
            print(f"machine {section.machine}, section {section.name}, {name} is not computed: {error}")
    return scores


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


def _finite(*parts: np.ndarray) -> np.ndarray:
    """The parts in a row. Raises DataError unless they are finite."""
    score = np.concatenate(parts)
    if not np.isfinite(score).all():
        raise DataError(
            "scores",
            f"{int((~np.isfinite(score)).sum())} of {len(score)} are not finite",
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
