"""A system's scores and decisions as the evaluators want them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from asdflow import metrics
from asdflow.exchange.labelling import short_names
from asdflow.exchange.reading import FileName, Unit, odd_clip, parse_name
from asdflow.foundation import names
from asdflow.foundation.errors import DataError
from asdflow.foundation.files import whole_file

THRESHOLDS = "thresholds.json"


@dataclass(frozen=True)
class Written:
    """What `write_system` wrote: score and decision files, sorted, and the threshold of each section."""

    files: tuple[Path, ...]
    thresholds: dict[Unit, metrics.Threshold]


def write_system(folder: str | Path, scores: pa.Table, quantile: float = 0.9, rule: str = "gamma") -> Written:
    """Write one system's test scores and decisions in the evaluators' format.

    Parameters
    ----------
    folder : path
        Of the system; made where absent.
    scores : pyarrow.Table
        Schema "scores", any number of machines and sections. Training clips' self-scores give the threshold.
    quantile, rule
        Of the threshold, see `metrics.threshold`.

    Returns
    -------
    Written
        Scores are written with all their digits: reading them gives the same numbers. Thresholds, with the
        share of training clips above each, are kept in `thresholds.json` beside them.

    Raises
    ------
    DataError
        A section without training or without test clips; a score that is not finite; a name that could not be
        read back from a score file; what `metrics.threshold` raises. Nothing is written then.
    ProductError
        The disk is full.
    """
    thresholds, texts = {}, {}
    for unit, part in sorted(_parts(scores).items()):
        clips, values, thresholds[unit] = _section(unit, part, quantile, rule)
        texts[_file_name("anomaly_score", unit)] = _lines(clips, map(repr, values.tolist()))
        decisions = metrics.decide(values, thresholds[unit].limit)
        texts[_file_name("decision_result", unit)] = _lines(clips, map(str, decisions.tolist()))
    kept = [
        {"machine": machine, "section": section, "quantile": quantile, **asdict(found)}
        for (machine, section), found in thresholds.items()
    ]
    for name, text in {**texts, THRESHOLDS: json.dumps(kept, indent=1) + "\n"}.items():
        with whole_file(Path(folder) / name) as partial:
            partial.write_text(text, encoding="utf-8")
    return Written(tuple(Path(folder) / name for name in sorted(texts)), thresholds)


def _parts(scores: pa.Table) -> dict[Unit, dict[str, dict[str, float]]]:
    """Scores by (machine, section), split and clip."""
    columns = [scores.column(name).to_pylist() for name in ("machine", "section", "split", "clip", "score")]
    parts: dict[Unit, dict[str, dict[str, float]]] = {}
    for machine, section, split, clip, score in zip(*columns, strict=True):
        parts.setdefault((machine, section), {}).setdefault(split, {})[clip] = score
    return parts


def _section(
    unit: Unit, part: dict[str, dict[str, float]], quantile: float, rule: str
) -> tuple[list[str], np.ndarray, metrics.Threshold]:
    """Names and scores of the test clips, sorted by clip, and the threshold."""
    where = f"machine {unit[0]!r}, section {unit[1]!r}"
    for split in ("train", "test"):
        if not part.get(split):
            raise DataError(where, f"has no {split} score", "Export a whole table of scores.")
    clips = sorted(part["test"])
    values = np.array([part["test"][clip] for clip in clips], dtype=np.float64)
    if not np.isfinite(values).all():
        raise DataError(where, "has test scores that are not finite", "Rebuild the scores.")
    lines = [f"{name}.wav" for name in short_names([(*unit, clip) for clip in clips])]
    for line in lines:
        if odd := odd_clip(line):
            raise DataError(f"{where}, clip {names.shown(line)}", odd, "Rename the clip.")
    return lines, values, metrics.threshold(list(part["train"].values()), quantile, rule, name=where)


def _file_name(kind: str, unit: Unit) -> str:
    """Name of a score file. Raises DataError for machines and sections that it would not give back."""
    odd = {"machine": names.odd_name(unit[0]), "section": names.odd_section(unit[1])}
    for (word, why), name in zip(odd.items(), unit, strict=True):
        if why:
            raise DataError(f"{word} {names.shown(name)}", why, "Give it another name in the data set.")
    name = FileName(kind, *unit)
    if parse_name(str(name)) != name:
        raise DataError(
            f"machine {unit[0]!r}, section {unit[1]!r}",
            f"would be read from {name} as others",
            "Give them other names in the data set.",
        )
    return str(name)


def _lines(clips: Sequence[str], cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(zip(clips, cells, strict=True))
    return text.getvalue()
