"""A system's scores and decisions as the evaluators want them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow as pa

from asdflow import metrics
from asdflow.exchange.labelling import short_names
from asdflow.exchange.reading import Unit
from asdflow.foundation.errors import DataError
from asdflow.foundation.files import whole_file


def write_system(
    folder: str | Path, scores: pa.Table, quantile: float = 0.9, rule: str = "gamma"
) -> list[Path]:
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
    list of path
        The files, sorted. Scores are written with all their digits: reading them gives the same numbers.

    Raises
    ------
    DataError
        A section without training or without test clips; a score that is not finite; what `metrics.threshold`
        raises.
    """
    columns = [scores.column(name).to_pylist() for name in ("machine", "section", "split", "clip", "score")]
    parts: dict[Unit, dict[str, dict[str, float]]] = {}
    for machine, section, split, clip, score in zip(*columns, strict=True):
        parts.setdefault((machine, section), {}).setdefault(split, {})[clip] = score
    written = []
    for (machine, section), part in sorted(parts.items()):
        where = f"machine {machine!r}, section {section!r}"
        for split in ("train", "test"):
            if not part.get(split):
                raise DataError(where, f"has no {split} score", "Export a whole table of scores.")
        ordered = sorted(part["test"].items())
        names = short_names([(machine, section, clip) for clip, _ in ordered])
        values = np.array([score for _, score in ordered], dtype=np.float64)
        if not np.isfinite(values).all():
            raise DataError(where, "has test scores that are not finite", "Rebuild the scores.")
        limit = metrics.threshold(list(part["train"].values()), quantile, rule, name=where)
        for kind, cells in (
            ("anomaly_score", map(repr, values.tolist())),
            ("decision_result", map(str, metrics.decide(values, limit).tolist())),
        ):
            written.append(Path(folder) / f"{kind}_{machine}_section_{section}_test.csv")
            text = io.StringIO()
            lines = ((f"{name}.wav", cell) for name, cell in zip(names, cells, strict=True))
            csv.writer(text, lineterminator="\n").writerows(lines)
            with whole_file(written[-1]) as partial:
                partial.write_text(text.getvalue(), encoding="utf-8")
    return sorted(written)
